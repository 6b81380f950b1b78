"""Content reader: says which pictogram a box shows and which letters a sign carries.

It stands in for the eyes of simulated observers (docs/design.md, "The mini world"): it is trained on clean and mildly
blurred scenes, reads known boxes, and is never used as a metric.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.scenes.vocabulary import LETTERS, MAX_LETTERS, glyph_classes

CROP = (32, 64)  # height, width to which every box is brought; signs are about twice as wide as high


class ContentReader(nn.Module):
    """Small convolutional net with two heads.

    Args:
        width: channels of the first stage; the others have 2, 3 and 4 times as many.
    """

    def __init__(self, width: int = 24):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage in range(1, 5):
            out = stage * width
            layers += [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
            layers += [nn.MaxPool2d(2)]
            channels = out
        self.trunk = nn.Sequential(*layers)  # (N, 3, 32, 64) -> (N, 4*width, 2, 4)
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(channels * 8, 192), nn.ReLU(inplace=True))
        self.glyph = nn.Linear(192, len(glyph_classes()))
        self.letters = nn.Linear(192, MAX_LETTERS * (len(LETTERS) + 1))  # one more class: no letter here

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Crops (N, 3, 32, 64) in [0, 1] to glyph logits (N, 68) and letter logits (N, 5, 27)."""
        features = self.hidden(self.trunk(crops * 2 - 1))
        return self.glyph(features), self.letters(features).view(-1, MAX_LETTERS, len(LETTERS) + 1)


def crop_box(image: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """The box (left, top, right, bottom) of an image (3, H, W), resized to (3, 32, 64) with antialiasing."""
    left, top, right, bottom = box
    crop = image[None, :, top:bottom, left:right]
    return F.interpolate(crop, CROP, mode="bilinear", antialias=True, align_corners=False)[0]


def letter_targets(word: str) -> list[int]:
    """Class of each of the 5 letter places of a word, 26 where there is none.

    >>> letter_targets("TEA")
    [19, 4, 0, 26, 26]
    """
    codes = [LETTERS.index(c) for c in word]
    return codes + [len(LETTERS)] * (MAX_LETTERS - len(codes))


def build(config: dict[str, int]) -> ContentReader:
    """Reader from the arguments in its config.json."""
    return ContentReader(**config)


@torch.inference_mode()
def read(reader: ContentReader, crops: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities over glyphs (N, 68) and over letters per place (N, 5, 27)."""
    reader.eval()
    # one crop at a time: batch size would change the last bit of a convolution, and votes must not depend on it
    outputs = [reader(crop[None]) for crop in crops]
    glyph, letters = (torch.cat(parts) for parts in zip(*outputs, strict=True))
    return glyph.softmax(-1), letters.softmax(-1)
