"""Pictures of a data set package as files: those inside are copied out, the others made again from their recipes."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.files import atomic, read_json, read_table, write_table
from hlf.images import encode_png, read_image, to_float, to_uint8
from hlf.release import pictures
from hlf.release.checksums import refuse_changed
from hlf.release.dataset import IMAGES, RECIPES
from hlf.release.pictures import Print, compare, print_of
from hlf.release.recipes import FORMAT, PICTURES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from hlf.sr.base import Upscaler

Row = dict[str, Any]
KINDS = ("gt", "lr", "sr")
INSIDE, FAILED = "inside", "failed"  # how a picture came about, beside the words of `pictures.compare`
TABLE = "images.csv"


@dataclass(frozen=True)
class Means:
    """What is there to make pictures again with.

    Attributes:
        photographs: folder of the photographs (`images.folder` of the run), None where the run has scenes.
        zoo_folder: folder of the zoo that the SR models come from.
        device: auto, cpu or cuda.
        anew: make pictures again that lie in the package, too.
        options: of SR models as "model.option", beside those of the run: where a file of one's own lies, whether one
            trusts it.
    """

    photographs: Path | None = None
    zoo_folder: Path | None = None
    device: str = "auto"
    anew: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def rebuild_images(
    package: str | Path, output: str | Path, means: Means, kinds: Collection[str] = KINDS, models: Collection[str] = ()
) -> "pd.DataFrame":
    """Write the pictures of a package below `output`, each compared with its marks in table `images`.

    LR needs its GT, SR its LR: what a wanted picture is made of is made first. SR pictures that are there are kept when
    an earlier call made them from the same LR, weights, seed and options.

    Args:
        package: folder of a released data set.
        output: where the pictures and images.csv go.
        means: what to make them with.
        kinds: of the pictures to report, some of gt, lr, sr.
        models: SR models whose pictures are wanted; () for all.

    Returns:
        Columns path, kind, model, status and note, as images.csv holds them. status: inside (copied from the package,
        same bytes), same, "same pixels", alike, other (see `pictures.compare`) or failed, with the reason in note.

    Raises:
        HlfError: a package that is not as released, recipes of another version, missing folders or weights.
    """
    import pandas as pd

    package, output = Path(package), Path(output)
    refuse_changed(package)
    shared, table = read_json(package / RECIPES), read_table(package / IMAGES)
    if shared.get("format") != FORMAT:
        raise HlfError(
            f"{package / RECIPES} has format {shared.get('format')}, this version reads {FORMAT}; update hlf"
        )
    unknown = sorted({*kinds} - set(KINDS)) + sorted({*models} - set(shared["models"]))
    if unknown:
        raise HlfError(
            f"{package} has no pictures of {', '.join(unknown)}; it has {', '.join((*KINDS, *shared['models']))}"
        )
    everything = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    _refuse_strange(everything, package)
    rows = _wanted(everything, set(kinds), set(models))
    work = _Work(package, output, shared, means)
    found = [r for kind in KINDS for r in work.make(kind, [row for row in rows if row["kind"] == kind])]
    report = pd.DataFrame(found, columns=["path", "kind", "model", "status", "note"])
    report = report[report["kind"].isin(set(kinds))].reset_index(drop=True)
    write_table(report, output / TABLE)
    return report


def _refuse_strange(rows: list[Row], package: Path) -> None:
    """Raise HlfError for a path that leads out of the output: the package may come from anybody."""
    for row in rows:
        recipe = json.loads(row["recipe"])
        for path in (row["path"], *(recipe[part] for part in ("gt", "lr") if part in recipe)):
            if PurePosixPath(path).parts[:1] != (PICTURES,) or ".." in PurePosixPath(path).parts:
                raise HlfError(
                    f"{package / IMAGES} names the picture {path!r}, expected one below {PICTURES}/; fetch it again"
                )


def _wanted(rows: list[Row], kinds: set[str], models: set[str]) -> list[Row]:
    """Rows that were asked for, and those that they are made of."""
    by_path = {row["path"]: row for row in rows}
    todo = [r["path"] for r in rows if r["kind"] in kinds and (r["kind"] != "sr" or not models or r["model"] in models)]
    wanted: set[str] = set()
    while todo:
        path = todo.pop()
        wanted.add(path)
        recipe = json.loads(by_path[path]["recipe"])
        todo += [recipe[part] for part in ("gt", "lr") if part in recipe]
    return [row for row in rows if row["path"] in wanted]


class _Work:
    """One call of `rebuild_images`."""

    def __init__(self, package: Path, output: Path, shared: dict[str, Any], means: Means) -> None:
        self.package, self.output, self.shared, self.means = package, output, shared, means

    def make(self, kind: str, rows: list[Row]) -> list[Row]:
        """Make pictures of one kind; results in the order of the rows."""
        inside = [row for row in rows if self._is_inside(row)]
        outside = [row for row in rows if not self._is_inside(row)]
        makers: dict[str, Callable[[list[Row]], dict[str, str]]] = {"gt": self._gts, "lr": self._lrs, "sr": self._srs}
        failures = makers[kind](outside) if outside else {}
        return [*(self._copied(row) for row in inside), *(self._compared(row, failures) for row in outside)]

    def _is_inside(self, row: Row) -> bool:
        return not self.means.anew and (self.package / row["path"]).is_file()

    def _copied(self, row: Row) -> Row:
        """A picture of the package, whose hash was checked, beside the others."""
        self._write(row, (self.package / row["path"]).read_bytes())
        return _result(row, INSIDE)

    def _compared(self, row: Row, failures: dict[str, str]) -> Row:
        """What became of a picture that was to be made."""
        if row["path"] in failures:
            return _result(row, FAILED, failures[row["path"]])
        path = self.output / row["path"]
        marks = Print(*(row[name] for name in ("width", "height", "sha256", "pixels_sha256", "means")))
        status = compare(print_of(path.read_bytes(), str(path)), marks)
        return _result(row, status, "not the released picture" if status == pictures.OTHER else "")

    def _write(self, row: Row, data: bytes) -> None:
        with atomic(self.output / row["path"]) as tmp:
            tmp.write_bytes(data)

    def _each(self, rows: list[Row], make: "Callable[[Row], np.ndarray]") -> dict[str, str]:
        """Make pictures one by one; reasons of those that failed, by path."""
        failures = {}
        for row in rows:
            try:
                self._write(row, encode_png(make(json.loads(row["recipe"]))))
            except HlfError as error:
                failures[row["path"]] = str(error)
        return failures

    def _gts(self, rows: list[Row]) -> dict[str, str]:
        if self.shared["images"]["source"] == "folder" and self.means.photographs is None:
            raise HlfError(
                "the GT pictures of this data set come from photographs; name their folder (--photographs DIR)"
            )
        return self._each(rows, self._gt)

    def _gt(self, recipe: Row) -> "np.ndarray":
        """GT, uint8 (H, W, 3): a scene by its seed, or the crop of a photograph."""
        from hlf.data.prepare import centre_crop
        from hlf.images import decode_image
        from hlf.scenes.scene import scene_for

        if recipe["source"] == "scenes":
            share = (recipe["share"][0], recipe["share"][1])
            return scene_for(recipe["seed"], recipe["role"], recipe["index"], recipe["side"], share).image
        path = Path(self.means.photographs or ".") / recipe["file"]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise HlfError(
                f"photograph {path} cannot be opened: {error.strerror}; name the folder that holds it (--photographs)"
            ) from error
        if hashlib.sha256(data).hexdigest() != recipe["source_sha256"]:
            raise HlfError(
                f"photograph {path} is another file than the one the data set was made of (other SHA-256); "
                "put the original there"
            )
        return centre_crop(decode_image(data, str(path)), recipe["crop"], recipe["resize"], str(path))

    def _lrs(self, rows: list[Row]) -> dict[str, str]:
        return self._each(rows, self._lr)

    def _lr(self, recipe: Row) -> "np.ndarray":
        """LR, uint8 (H / 4, W / 4, 3), by the recorded plan."""
        from hlf.degradation.apply import apply_plan

        return to_uint8(apply_plan(to_float(read_image(self.output / recipe["gt"])), recipe["plan"]))

    def _srs(self, rows: list[Row]) -> dict[str, str]:
        failures: dict[str, str] = {}
        for model in sorted({row["model"] for row in rows}):
            failures |= self._sr_of(model, [row for row in rows if row["model"] == model])
        return failures

    def _sr_of(self, model: str, rows: list[Row]) -> dict[str, str]:
        """SR pictures of one model, by the same loop as the run's."""
        from hlf.sr.engine import Item, Settings, upscale_items

        upscaler, how, items = self._upscaler(model, {row["weights_sha256"] for row in rows}), self._how(model), []
        for row in rows:
            recipe = json.loads(row["recipe"])
            lr, sr = (self.output / p for p in (recipe["lr"], row["path"]))
            items.append(Item(row["image_id"], row["level"], lr, sr, recipe["seed"]))
        key = hashlib.blake2b(json.dumps(how, sort_keys=True).encode(), digest_size=8).hexdigest()
        _, failed = upscale_items(items, upscaler, Settings(key, how["batch_size"], how["tile"], how["tile_overlap"]))
        paths = {id(item): row["path"] for item, row in zip(items, rows, strict=True)}
        return {paths[id(one.item)]: one.reason for one in failed}

    def _how(self, model: str) -> dict[str, Any]:
        """Options and precision of a model, with those of this call."""
        own = {name.partition(".")[2]: v for name, v in self.means.options.items() if name.partition(".")[0] == model}
        found = self.shared["models"][model]
        return {**found, "options": {**found["options"], **own}}

    def _upscaler(self, model: str, wanted: set[str]) -> "Upscaler":
        """The model with the weights that the pictures were made with; HlfError when the zoo holds others."""
        from hlf.device import one_thread, pick_device
        from hlf.sr.registry import load_upscaler
        from hlf.zoo.registry import zoo_folder

        how, zoo, device = self._how(model), self.shared["zoo"], pick_device(self.means.device)
        if device == "cpu":
            one_thread()
        folder = zoo_folder(zoo, self.means.zoo_folder)
        upscaler = load_upscaler(model, zoo, folder, device, how["precision"], how["options"])
        if {upscaler.descriptor.weights_sha256} != wanted:
            raise HlfError(
                f"{folder} holds other weights of '{model}' than the data set was made with; recipes.json names the "
                "files with their SHA-256"
            )
        return upscaler


def _result(row: Row, status: str, note: str = "") -> Row:
    return {"path": row["path"], "kind": row["kind"], "model": row["model"], "status": status, "note": note}
