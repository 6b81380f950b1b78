"""Measuring every pair with every metric; a failure is a row that says why, never a hole (paper 4.1)."""

import hashlib
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.columns import conform
from hlf.errors import HlfError
from hlf.files import read_table, write_table
from hlf.images import decode_image
from hlf.iqa.picture import Picture
from hlf.iqa.registry import Measure, Metric, Source, get_metric, load_measure, missing_weights, weight_files
from hlf.zoo.registry import weights_sha256

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

# pairs after which the values so far are written to the work folder: a killed job repeats at most these
FLUSH = 32
# what one measurement leaves: value, version, status, seconds
Result = tuple[float, str, str, float]
PART = ["pair_id", "content", "value", "version", "status", "seconds"]
NAN = float("nan")


def measure_pairs(
    pairs: "pd.DataFrame",
    results: Path,
    metrics: list[str],
    source: Source,
    run: str,
    keys: Mapping[str, str],
    work: Path | None,
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Measure SR against GT, one pair at a time on the CPU, each image decoded once for all metrics.

    Args:
        pairs: table `pairs`; its paths are relative to `results`.
        results: folder of the run, results/<run>.
        metrics: names from `hlf.iqa.registry`.
        source: of weights.
        run: name of the run, written into the rows.
        keys: digest of the code of each group of metrics; parts of another key are not reused.
        work: folder for finished parts, one file per metric, key, weights and set of pairs; a metric added later
            measures only itself, an image that changed is measured again. None: keep nothing.

    Returns:
        Table `iqa`, ordered by metric as given and pair as given, and a timing table (metric, pairs, seconds; what one
        pass gives together is told at its first metric). A pair that could not be measured has value NaN and status
        "failed: why", one whose metric lacks its files "weights missing: <file>".

    Raises:
        HlfError: an unknown metric, one named twice, weights that are there but wrong, or no pair.
    """
    import pandas as pd

    if len(set(metrics)) < len(metrics):
        raise HlfError(f"iqa.metrics names a metric twice ({metrics}); name each once")
    if pairs.empty:
        raise HlfError("there is no pair to measure; run the sampling stage first")
    groups: dict[str, list[Metric]] = {}
    for name in metrics:
        groups.setdefault(get_metric(name).group, []).append(get_metric(name))
    jobs = [_Job(group, wanted, source, keys.get(group, ""), work, pairs) for group, wanted in groups.items()]
    _measure_all(jobs, pairs, results)
    tables = {name: table for job in jobs for name, table in job.tables(pairs, run).items()}
    timing = [(name, len(pairs), job.seconds(name)) for job in jobs for name in job.names]
    return (
        pd.concat([tables[name] for name in metrics], ignore_index=True),
        pd.DataFrame(timing, columns=["metric", "pairs", "seconds"]),
    )


class _Job:
    """One group of metrics of a run: what is done already, and the measure, loaded when the first pair needs it."""

    def __init__(
        self,
        group: str,
        metrics: list[Metric],
        source: Source,
        key: str,
        work: Path | None,
        pairs: "pd.DataFrame",
    ):
        self.group, self.metrics, self.source = group, {m.name: m for m in metrics}, source
        self.missing = {m.name: missing_weights(m.name, source) for m in metrics}
        self.names = [name for name, file in self.missing.items() if not file]
        files = weight_files(self.names, source)
        self.digest = weights_sha256(files) if files else ""
        self.zoo = source.zoo if weight_files(self.metrics, source) else ""
        self.results: dict[str, dict[str, Result]] = {name: {} for name in self.names}
        self.contents: dict[str, str] = {}
        rows = pairs[["pair_id", "gt_path", "sr_path"]].to_csv(index=False)
        facts = (key, self.zoo, self.digest, source.joint_mask, str(source.seed), rows)
        self.parts = {name: _part(work, name, *facts) for name in self.names}
        self.done: dict[str, dict[tuple[str, str], Result]] = {name: _read_part(p) for name, p in self.parts.items()}
        self.fresh = False  # something was measured that no part holds yet
        self._measure: Measure | None = None

    def left(self, pair: str, content: str) -> bool:
        """Whether a pair must still be measured; takes over finished results of the same image bytes."""
        self.contents[pair] = content
        for name in self.names:
            if (pair, content) in self.done[name]:
                self.results[name][pair] = self.done[name][pair, content]
        return any(pair not in self.results[name] for name in self.names)

    def fail(self, pair: str, reason: str) -> None:
        """Note why a pair has no values."""
        for name in self.names:
            self.results[name].setdefault(pair, (NAN, "", f"failed: {reason}", 0.0))

    def measure(self, pair: str, sr: Picture, gt: Picture) -> None:
        """Values of one pair; what goes wrong stays in its rows."""
        if self._measure is None:
            self._measure = load_measure(self.group, self.source)
        self.fresh = True
        start, values, failed = time.perf_counter(), {}, ""
        try:
            check_sizes(self.metrics[self.names[0]], sr, gt)
            values = self._measure(sr, gt)
        except (HlfError, RuntimeError, ValueError, AssertionError) as error:
            failed = str(error)
        spent = time.perf_counter() - start
        for name in self.names:
            value, reason = values.get(name, NAN), failed
            if not reason and not math.isfinite(value):
                reason = f"{name} gave {value}"
            if reason:
                log.warning("%s of %s failed: %s", name, pair, reason)
            status, version = (f"failed: {reason}", "") if reason else ("ok", self._measure.version)
            self.results[name][pair] = (NAN if reason else value, version, status, spent)
            spent = 0.0  # told once, at the first metric of the pass

    def flush(self) -> None:
        """Write the good results so far; failed ones are tried again next time."""
        import pandas as pd

        for name, part in self.parts.items():
            if part is not None and self.fresh:
                good = [(p, self.contents[p], *r) for p, r in sorted(self.results[name].items()) if r[2] == "ok"]
                write_table(pd.DataFrame(good, columns=PART), part)
        self.fresh = False

    def tables(self, pairs: "pd.DataFrame", run: str) -> "dict[str, pd.DataFrame]":
        """Table `iqa` of each metric."""
        import pandas as pd

        found = {}
        for name, metric in self.metrics.items():
            nothing = (NAN, "", f"weights missing: {self.missing[name]}", 0.0)
            rows = [self.results[name][p] if name in self.results else nothing for p in pairs["pair_id"]]
            table = pd.DataFrame(rows, columns=["value", "version", "status", "seconds"]).drop(columns="seconds")
            table = table.assign(
                run=run, metric=name, kind=metric.kind, lower_better=metric.lower_better,
                convention=metric.said(self.zoo),
                zoo=self.zoo, weights_sha256=self.digest if name in self.results else "",
                pair_id=pairs["pair_id"].to_numpy(),
            )  # fmt: skip
            found[name] = conform(table, "iqa")
        return found

    def seconds(self, name: str) -> float:
        """Seconds spent on a metric, in this and earlier sittings."""
        return float(sum(result[3] for result in self.results[name].values()))


def _measure_all(jobs: list[_Job], pairs: "pd.DataFrame", results: Path) -> None:
    """Fill the results of every job, reusing finished parts; the last GT stays decoded, pairs of one GT being near."""
    last: Picture | None = None
    rows = pairs[["pair_id", "gt_path", "sr_path"]].itertuples(index=False)
    for number, (name, gt_path, sr_path) in enumerate(rows, start=1):
        left: list[_Job] = []
        try:
            gt_data, sr_data = (_read(results / path) for path in (gt_path, sr_path))
            content = hashlib.sha256(gt_data + b"\x1f" + sr_data).hexdigest()
            left = [job for job in jobs if job.left(name, content)]
            if left:
                if last is None or last.name != gt_path:
                    last = Picture(decode_image(gt_data, str(results / gt_path)), gt_path)
                sr = Picture(decode_image(sr_data, str(results / sr_path)), sr_path)
        except HlfError as error:
            for job in jobs:
                job.fail(name, str(error))
            left = []
        for job in left:
            assert last is not None
            job.measure(name, sr, last)
        if number % FLUSH == 0 or number == len(pairs):
            log.info("measured %d of %d pairs", number, len(pairs))
            for job in jobs:
                job.flush()


def check_sizes(metric: Metric, sr: Picture, gt: Picture) -> None:
    """HlfError when the sizes differ (nothing is ever resized) or are too small for the metric."""
    (height, width), (gt_height, gt_width) = sr.rgb.shape[:2], gt.rgb.shape[:2]
    if (height, width) != (gt_height, gt_width):
        raise HlfError(f"SR is {width}x{height} pixels, GT is {gt_width}x{gt_height}, expected the same size")
    if min(height, width) < metric.min_side:
        raise HlfError(f"images are {width}x{height} pixels, {metric.name} needs at least {metric.min_side} a side")


def _read(path: Path) -> bytes:
    """Bytes of an image file; HlfError when it cannot be opened."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise HlfError(f"image {path} cannot be opened: {error.strerror}; check its path and rights") from error


def _part(work: Path | None, metric: str, *facts: str) -> Path | None:
    """File of the finished results of one metric, named by metric and what decides them."""
    if work is None:
        return None
    digest = hashlib.blake2b("\x1f".join((metric, *facts)).encode(), digest_size=8).hexdigest()
    return work / f"{metric}-{digest}.parquet"


def _read_part(path: Path | None) -> dict[tuple[str, str], Result]:
    """Finished results by pair and content."""
    if path is None or not path.exists():
        return {}
    rows = read_table(path)[PART].itertuples(index=False)
    return {(name, content): tuple(result) for name, content, *result in rows}
