"""KonIQ++ as a metric of Table 2: quality, and blur and artifacts as two of four defects; one forward gives all."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hlf.errors import HlfError
from hlf.iqa.pixels import check_picture, squashed
from hlf.nets import koniqpp as net
from hlf.zoo.load import build_filled, build_mini, read_checkpoint, read_config, read_state, state_dict
from hlf.zoo.registry import find_weights, weights_sha256

OUTPUTS = ("quality", *net.OUTPUTS[1:])
OFFICIAL_SIZE = (480, 640)  # the official program's switch --resize, with which it was trained


class KonIQppMetric:
    """KonIQ++ on its device, in float32.

    Attributes:
        network: see `hlf.nets.koniqpp`; put into eval mode.
        size: height and width in pixels to which every image is brought, whatever its aspect.
        k: factor of the quality, from the weights file.
        b: offset of the quality, from the weights file.
        zoo: "mini" or "official".
        weights_sha256: digest of the files that the weights came from.
    """

    def __init__(
        self,
        network: net.KonIQpp,
        size: tuple[int, int],
        k: float,
        b: float,
        zoo: str,
        weights_sha256: str,
        device: str = "cpu",
    ):
        self.network, self.device = network.eval().to(device), device
        self.size, self.k, self.b = size, k, b
        self.zoo, self.weights_sha256 = zoo, weights_sha256

    def preprocess(self, image: np.ndarray) -> Tensor:
        """uint8 RGB (H, W, 3) of any size to the network's input (1, 3, *size)."""
        check_picture(image, "KonIQ++")
        return squashed(image, *self.size)

    def __call__(self, image: np.ndarray) -> dict[str, float]:
        """All outputs of one image, by name (OUTPUTS); images are never batched, so neighbours change no bit.

        Args:
            image: uint8 RGB (H, W, 3), from one pixel up.

        Returns:
            quality: on the scale of mean opinion scores, 0 to 100 at full size, higher is better.
            artifacts, blur, contrast, color: strength of the defect, lower is better; only correlations mean something.

        Raises:
            HlfError: no such picture, or an output that is no number.
        """
        with torch.inference_mode():
            raw = self.network(self.preprocess(image).to(self.device))[0].cpu().double().tolist()
        values = dict(zip(OUTPUTS, [raw[0] * self.k + self.b, *raw[1:]], strict=True))
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            raise HlfError(f"KonIQ++ gave {values[wrong[0]]} for {wrong[0]}; its weights do not fit this image")
        return values


def load_koniqpp(zoo: str, folder: str | Path, device: str = "cpu", trusted: bool = False) -> KonIQppMetric:
    """KonIQ++ with the weights of a zoo.

    Args:
        zoo: "mini" (config.json with `network`, `size`, `k`, `b`) or "official" (full size, k and b in the file).
        folder: folder of that zoo.
        device: cpu or cuda.
        trusted: open the official pickle although it may run code; it was written by a torch of 2019 to 2021.

    Raises:
        HlfError: missing, truncated or foreign files, or no factor and offset in them.
    """
    paths = find_weights(zoo, folder, "koniqpp")
    path = paths[-1]
    if zoo == "mini":
        config = read_config(paths[0], ("network", "size", "k", "b"))
        network = build_mini(net.build, config, read_state(path), paths[0], path)
        try:
            size, k, b = (int(config["size"][0]), int(config["size"][1])), float(config["k"]), float(config["b"])
        except (TypeError, ValueError, IndexError) as error:
            raise HlfError(
                f"{paths[0]}: expected size [height, width], numbers k and b; retrain the mini zoo"
            ) from error
    else:
        content = read_checkpoint(path, mapped=True, trusted=trusted, setting="iqa.trust_koniqpp_file")
        network = build_filled(lambda: net.KonIQpp(**net.OFFICIAL), state_dict(content, path, ("model",)), path)
        size, k, b = OFFICIAL_SIZE, _first(content, "k", path), _first(content, "b", path)
    return KonIQppMetric(network, size, k, b, zoo, weights_sha256(paths), device)


def _first(content: dict[str, Any], key: str, path: Path) -> float:
    """First number of a list of the official file; the others belong to the defects and are not used (official)."""
    try:
        value = float(content[key][0])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise HlfError(
            f"checkpoint {path} lacks list '{key}', which brings the quality to the scale of opinion scores; "
            "fetch the file that the official program wrote"
        ) from error
    if not math.isfinite(value):
        raise HlfError(f"checkpoint {path}: '{key}' holds {value}, expected a number; the file is damaged")
    return value
