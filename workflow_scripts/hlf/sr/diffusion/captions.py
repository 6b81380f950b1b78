"""Captions of LR images, from a captioner or a file, and the prompts that PASD builds of them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.files import read_table
from hlf.images import picture_key

if TYPE_CHECKING:
    from torch import Tensor

STYLES = ("coca", "blip", "words")


def caption_prompt(caption: str, user_prompt: str, added_prompt: str, style: str) -> str:
    """Prompt as PASD builds it, blanks doubled and missing where the official program has them so.

    Args:
        caption: what the image shows; "" for none.
        user_prompt: words of the user, "" for none.
        added_prompt: words at the end.
        style: coca: a sentence that ends with a blank; blip: one without; words: names of things, as the official
            program's classifier and detector give them.

    >>> caption_prompt("a frog . ", "", "clean, 8k", "coca")
    'a frog . clean, 8k'
    >>> caption_prompt("2 person, 1 dog", "my prompt", "clean", "words")
    'my prompt, 2 person, 1 dog, clean'
    """
    if not caption and style != "words":
        return (f"{user_prompt}, " if user_prompt else "") + added_prompt
    if style == "words":
        # the official program forgets the user's words when its classifier is not sure
        parts = [user_prompt, caption] if caption else []
        return "".join(f"{part}, " for part in parts if part) + added_prompt
    if not user_prompt:
        return caption + added_prompt
    return f"{caption}{' ' if style == 'coca' else ', '}{user_prompt}{added_prompt}"


def read_captions(path: Path) -> dict[tuple[str, float | None], str]:
    """Captions of a CSV file with columns image_id, caption and, if captions differ between levels, level.

    Returns:
        Caption by image and level; level None stands for all.

    Raises:
        HlfError: unreadable, a column is missing, or an image stands there twice.
    """
    table = read_table(path)
    missing = [name for name in ("image_id", "caption") if name not in table.columns]
    if missing:
        raise HlfError(f"{path} has no column '{missing[0]}', expected image_id, caption and perhaps level")
    levels = table["level"].tolist() if "level" in table.columns else [float("nan")] * len(table)
    found: dict[tuple[str, float | None], str] = {}
    for image_id, level, caption in zip(table["image_id"], levels, table["caption"].fillna(""), strict=True):
        key = (str(image_id), None if level != level else float(level))
        if key in found:
            raise HlfError(f"{path} has two captions for image '{image_id}'; keep one for each image and level")
        found[key] = str(caption)
    return found


class Captions:
    """Caption of an image, found once.

    Args:
        captioner: of an image (3, h, w) in [0, 1]; None where a file gives the captions, or nothing does.
        path: the file, see `read_captions`.
        style: see `caption_prompt`; sentences of CoCa get the blank at their end that files lose.
    """

    def __init__(self, captioner: "Callable[[Tensor], str] | None", path: Path | None, style: str) -> None:
        self.captioner, self.path, self.style = captioner, path, style
        self.given = read_captions(path) if path else {}
        self._known: dict[bytes, str] = {}

    def introduce(self, image: "Tensor", image_id: str, level: float) -> None:
        """Look up the caption of an image (3, h, w) by name, so that `__call__` knows it by its pixels.

        Raises:
            HlfError: the file has no caption for it, or another one for the same pixels under another name.
        """
        if self.path is None:
            return
        caption = self.given.get((image_id, level), self.given.get((image_id, None)))
        if caption is None:
            raise HlfError(f"{self.path} has no caption for image '{image_id}' at level {level:g}; add a row")
        text = f"{caption.rstrip()} " if self.style == "coca" and caption.strip() else caption.strip()
        if self._known.setdefault(picture_key(image), text) != text:
            raise HlfError(f"{self.path} gives image '{image_id}' another caption than an equal image has; make it one")

    def __call__(self, image: "Tensor") -> str:
        """Caption of one image (3, h, w) in [0, 1], "" without captioner and file."""
        if self.path is None and self.captioner is None:
            return ""
        name = picture_key(image)
        if name not in self._known:
            if self.captioner is None:
                raise HlfError(f"captions come from {self.path}, but the name of this image was not told")
            self._known[name] = self.captioner(image)
        return self._known[name]
