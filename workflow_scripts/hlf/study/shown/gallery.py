"""GT images of a run, read when they are asked for, and what each of them shows: the raw material of traps."""

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.images import read_image
from hlf.seeds import generator

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

THUMB = 16  # side in cells of the small picture by which two images are compared; our choice
DRAWS = 8  # images looked at before the one least like another is taken; our choice
# smallest root mean square distance of two small pictures, in grey levels of 255, at which they count as different
# scenes; our choice, noise and recompression of one photograph stay below 3
DIFFERENT = 12.0


class Gallery:
    """The GT images behind a table of pairs.

    Attributes:
        paths: path of each image below the results folder, by image id, sorted.
        scenes: whether the images are procedural scenes with known content.
    """

    def __init__(self, pairs: "pd.DataFrame", results: Path, content: "pd.DataFrame | None", seed: int) -> None:
        """Note where the images lie; none is read yet.

        Args:
            pairs: table `pairs`.
            results: folder of the run, in which its paths start.
            content: table `content` of a run on scenes, None for photographs.
            seed: the run's seed, of every draw from the gallery.

        Raises:
            HlfError: there is no pair.
        """
        if not len(pairs):
            raise HlfError("there is no pair to show; run the sampling stage first")
        self.results, self.seed, self.scenes = Path(results), seed, content is not None
        self.paths: dict[str, str] = dict(sorted(zip(pairs["image_id"], pairs["gt_path"], strict=True)))
        self._labels: dict[str, frozenset[tuple[str, str]]] = {}
        if content is not None:
            things = content.groupby("image_id")[["kind", "label"]]
            self._labels = {str(i): frozenset(own.itertuples(index=False, name=None)) for i, own in things}
        self._strangers: set[str] = set()
        self.image = functools.lru_cache(maxsize=16)(self._read)
        self.thumb = functools.cache(self._shrink)

    def deck(self) -> Iterator[str]:
        """Image ids in a seeded order, again and again without end, so that none is used twice before all were."""
        order = generator(self.seed, "study", "deck").permutation(list(self.paths))
        return itertools.cycle(str(name) for name in order)

    def stranger(self, image_id: str, why: str) -> str:
        """Id of an image of the same size that shows something else, another one with every call while there are any.

        Scenes must have no thing in common. Of a few drawn images the one whose small picture is farthest away is
        taken; more are drawn until one is far enough.

        Args:
            image_id: the image to differ from.
            why: what it is for; another word gives other draws.

        Raises:
            HlfError: no image of the run is different enough.
        """
        others = [name for name in self.paths if name != image_id and not self._share_content(name, image_id)]
        drawn = list(map(str, generator(self.seed, "study", "stranger", why).permutation(others)))
        # one that always returns would be known as a trap
        fresh = [name for name in drawn if name not in self._strangers]
        best = self._farthest(fresh, image_id) or self._farthest(drawn, image_id)
        if not best:
            raise HlfError(
                f"no GT image of the {len(self.paths)} in the study has the size of {image_id} and shows another scene,"
                " which traps need; take more images into the study"
            )
        self._strangers.add(best)
        return best

    def _farthest(self, names: list[str], image_id: str) -> str:
        """Of the first few images the farthest, or the first one after them that is far enough; "" when none is."""
        best, farthest = "", 0.0
        for count, name in enumerate(names):
            if count >= DRAWS and farthest >= DIFFERENT:
                break
            distance = self._distance(name, image_id)
            if distance > farthest:
                best, farthest = name, distance
        return best if farthest >= DIFFERENT else ""

    def _share_content(self, first: str, second: str) -> bool:
        return bool(self._labels.get(first, frozenset()) & self._labels.get(second, frozenset()))

    def _distance(self, first: str, second: str) -> float:
        """Root mean square distance of two small pictures in grey levels; 0 where the images differ in size."""
        import numpy as np

        if self.thumb(first)[0] != self.thumb(second)[0]:
            return 0.0
        return float(np.sqrt(np.mean((self.thumb(first)[1] - self.thumb(second)[1]) ** 2)))

    def _read(self, image_id: str) -> "np.ndarray":
        """uint8 (H, W, 3)."""
        return read_image(self.results / self.paths[image_id])

    def _shrink(self, image_id: str) -> "tuple[tuple[int, ...], np.ndarray]":
        """Shape of an image, and its means over 16 x 16 cells, float64 (16, 16, 3)."""
        import numpy as np
        from PIL import Image

        pixels = self.image(image_id)
        small = Image.fromarray(pixels).resize((THUMB, THUMB), Image.Resampling.BOX)
        return pixels.shape, np.asarray(small, dtype=np.float64)
