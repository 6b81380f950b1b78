"""Figure 3: the page on which people answer (paper 3.1)."""

import io
from typing import TYPE_CHECKING

from hlf.paper import style
from hlf.paper.facts import Provenance
from hlf.paper.sheets import show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE3_TITLE = "Figure 3. What people see"
FIGURE3_CAPTION = (
    "The page of a trial in a browser window of 1440 x 900 pixels, from the study that hlf study serve gives to "
    "people. The pair was chosen by rule: of the mildest degradation, at the upper quartile of similarity. On which "
    "side the GT stands is drawn for each person."
)
FIGURE3_ABSENT = (
    "Figure 3, the page that people see, is not here: it needs a browser. After apt-get install chromium and pip "
    "install '.[study]' playwright, run snakemake figure3."
)
# inches of the picture: its 1440 pixels are as many at 150 pixels per inch, the default of paper.dpi; wider than
# print, so the text around it grows
_WIDTH, _EDGE = 9.6, 0.1


def figure3(page: bytes, facts: Provenance) -> "Figure":
    """A picture of the page, with title, stamp and small print.

    Args:
        page: PNG of `study.screenshot.trial_page`.
        facts: provenance.
    """
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(page), formats=["PNG"]) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    height = _WIDTH * pixels.shape[0] / pixels.shape[1]
    with style.look():
        sheet = style.new_page(_WIDTH + 2 * _EDGE, height, facts, "The page of a trial, as people see it")
        show(sheet.box(_EDGE, 0.0, _WIDTH, height), pixels)
    return sheet.figure
