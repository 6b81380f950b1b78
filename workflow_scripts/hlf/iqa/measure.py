"""Measuring every pair with every metric; a failure is a row that says why, never a hole (paper 4.1)."""

import hashlib
import logging
import math
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.columns import conform
from hlf.errors import HlfError
from hlf.files import read_table, write_table
from hlf.images import decode_image, to_tensor
from hlf.iqa.registry import Metric, get_metric

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LOG = logging.getLogger(__name__)

# pairs after which the values so far are written to the work folder: a killed job repeats at most these
FLUSH = 32
# what one measurement leaves: value, version, status, seconds
Result = tuple[float, str, str, float]
PART = ["pair_id", "content", "value", "version", "status", "seconds"]


def measure_pairs(
    pairs: "pd.DataFrame", results: Path, metrics: list[str], run: str, key: str, work: Path | None
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Measure SR against GT, one pair at a time on the CPU, each image decoded once for all metrics.

    Args:
        pairs: table `pairs`; its paths are relative to `results`.
        results: folder of the run, results/<run>.
        metrics: names from `hlf.iqa.registry`.
        run: name of the run, written into the rows.
        key: digest of the configuration and code that decide the values; parts of another key are not reused.
        work: folder for finished parts, one file per metric, key and set of pairs; a metric added later measures only
            itself, an image that changed is measured again. None: keep nothing.

    Returns:
        Table `iqa`, ordered by metric as given and pair as given, and a timing table (metric, pairs, seconds). A pair
        that could not be measured has value NaN and status "failed: why".

    Raises:
        HlfError: an unknown metric, one named twice, or no pair.
    """
    import pandas as pd

    if len(set(metrics)) < len(metrics):
        raise HlfError(f"iqa.metrics names a metric twice: {metrics}")
    if pairs.empty:
        raise HlfError("there is no pair to measure; run the sampling stage first")
    jobs = [_Job(get_metric(name), _part(work, name, key, pairs)) for name in metrics]
    _measure_all(jobs, pairs, results)
    tables, timing = [], []
    for job in jobs:
        columns = ["value", "version", "status", "seconds"]
        table = pd.DataFrame([job.results[name] for name in pairs["pair_id"]], columns=columns)
        entry = job.metric
        timing.append((entry.name, len(table), float(table["seconds"].sum())))
        table = table.drop(columns="seconds").assign(run=run, metric=entry.name, kind=entry.kind)
        table = table.assign(lower_better=entry.lower_better, convention=entry.convention)
        tables.append(conform(table.assign(pair_id=pairs["pair_id"].to_numpy()), "iqa"))
    return pd.concat(tables, ignore_index=True), pd.DataFrame(timing, columns=["metric", "pairs", "seconds"])


class _Job:
    """One metric of a run: what is done already, and the pyiqa object, built when the first pair needs it."""

    def __init__(self, metric: Metric, part: Path | None):
        self.metric, self.part = metric, part
        self.results: dict[str, Result] = {}
        self.contents: dict[str, str] = {}
        self.done: dict[tuple[str, str], Result] = {}
        self._measure: Callable[..., Any] | None = None
        if part is not None and part.exists():
            for name, content, *result in read_table(part)[PART].itertuples(index=False):
                self.done[name, content] = tuple(result)

    def value(self, sr: "np.ndarray", gt: "np.ndarray") -> tuple[float, str]:
        """Value and version of uint8 images (H, W, 3) that fit the metric; HlfError when no number comes out."""
        if self._measure is None:
            self._measure = self.metric.build()
        # fresh tensors for each metric: some of pyiqa's normalise their input in place
        value = float(self._measure(to_tensor(sr)[None], to_tensor(gt)[None]))
        made_by = f"pyiqa {version('pyiqa')}"
        if not math.isfinite(value) and self.metric.rescue is not None:
            name, rescue = self.metric.rescue
            value, made_by = rescue(sr, gt), f"{name} ({made_by} gave {value})"
        if not math.isfinite(value):
            raise HlfError(f"{self.metric.name} gave {value}")
        return value, made_by

    def flush(self) -> None:
        """Write the good results so far; failed ones are tried again next time."""
        import pandas as pd

        if self.part is not None:
            good = [(n, self.contents[n], *r) for n, r in sorted(self.results.items()) if r[2] == "ok"]
            write_table(pd.DataFrame(good, columns=PART), self.part)


def _measure_all(jobs: list[_Job], pairs: "pd.DataFrame", results: Path) -> None:
    """Fill the results of every job, reusing finished parts; the last GT stays decoded, pairs of one GT being near."""
    last: tuple[str, np.ndarray] | None = None
    rows = pairs[["pair_id", "gt_path", "sr_path"]].itertuples(index=False)
    for number, (name, gt_path, sr_path) in enumerate(rows, start=1):
        try:
            data = {path: _read(results / path) for path in (gt_path, sr_path)}
            content = hashlib.sha256(data[gt_path] + b"\x1f" + data[sr_path]).hexdigest()
            left = [job for job in jobs if not _reuse(job, name, content)]
            if left:
                if last is None or last[0] != gt_path:
                    last = gt_path, decode_image(data[gt_path], str(results / gt_path))
                _measure_pair(left, name, decode_image(data[sr_path], str(results / sr_path)), last[1])
        except HlfError as error:
            for job in jobs:
                job.results.setdefault(name, (float("nan"), "", f"failed: {error}", 0.0))
        if number % FLUSH == 0 or number == len(pairs):
            LOG.info("measured %d of %d pairs", number, len(pairs))
            for job in jobs:
                job.flush()


def _measure_pair(jobs: list[_Job], name: str, sr: "np.ndarray", gt: "np.ndarray") -> None:
    """Results of one pair; what goes wrong in one metric stays in its row."""
    for job in jobs:
        start = time.perf_counter()
        value, made_by, status = float("nan"), "", "ok"
        try:
            check_sizes(job.metric, sr, gt)
            value, made_by = job.value(sr, gt)
        except (HlfError, RuntimeError, ValueError, AssertionError) as error:
            status = f"failed: {error}"
            LOG.warning("%s of %s %s", job.metric.name, name, status)
        job.results[name] = (value, made_by, status, time.perf_counter() - start)


def check_sizes(metric: Metric, sr: "np.ndarray", gt: "np.ndarray") -> None:
    """HlfError when the sizes differ (nothing is ever resized) or are too small for the metric."""
    (height, width), (gt_height, gt_width) = sr.shape[:2], gt.shape[:2]
    if (height, width) != (gt_height, gt_width):
        raise HlfError(f"SR is {width}x{height} pixels, GT is {gt_width}x{gt_height}, expected the same size")
    if min(height, width) < metric.min_side:
        raise HlfError(f"images are {width}x{height} pixels, {metric.name} needs at least {metric.min_side} a side")


def _reuse(job: _Job, name: str, content: str) -> bool:
    """Take over the finished result of a pair, if there is one of the same image bytes."""
    job.contents[name] = content
    if (name, content) in job.done:
        job.results[name] = job.done[name, content]
    return name in job.results


def _read(path: Path) -> bytes:
    """Bytes of an image file; HlfError when it cannot be opened."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise HlfError(f"image {path} cannot be opened: {error.strerror}") from error


def _part(work: Path | None, metric: str, key: str, pairs: "pd.DataFrame") -> Path | None:
    """File of the finished results of one metric, named by metric, key and the set of pairs."""
    if work is None:
        return None
    rows = pairs[["pair_id", "gt_path", "sr_path"]].to_csv(index=False)
    digest = hashlib.blake2b(f"{metric}\x1f{key}\x1f{rows}".encode(), digest_size=8).hexdigest()
    return work / f"{metric}-{digest}.parquet"
