"""JOINT as a metric of Table 2: rationality, technical quality and naturalness; one call gives all."""

import math
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hlf.errors import HlfError
from hlf.iqa.joint_images import MOSAIC, detector_input, shuffle_patches, structure_image
from hlf.iqa.pixels import centre, check_picture
from hlf.nets import joint as net
from hlf.seeds import seed_for
from hlf.zoo.load import build_filled, build_mini, read_config, read_state
from hlf.zoo.registry import find_weights, weights_sha256

OUTPUTS = ("rationality", "technical", "naturalness")
OFFICIAL_CROP = (384, 224)  # usage line of the official program: --resize 384 --crop_size 224
# long side over short side: the whole picture is enlarged before its centre is cut out
LONGEST = 100


class ArtifactDetector:
    """TorchScript file of PAL4VST that marks where a generated picture looks wrong.

    Args:
        path: its `end2end.pt`.
        device: cpu or cuda.

    Raises:
        HlfError: no TorchScript file.
    """

    def __init__(self, path: str | Path, device: str = "cpu"):
        self.path, self.device = path, device
        try:
            with warnings.catch_warnings():
                # torch advises against the format, but the detector is published in no other
                warnings.simplefilter("ignore", FutureWarning)
                self.network = torch.jit.load(str(path), map_location=device).eval()
        except Exception as error:  # web pages, state dicts and truncated files fail with types of their own
            reason = _reason(error)
            raise HlfError(
                f"{path} is no TorchScript file ({reason}); it is truncated or no detector, fetch it again"
            ) from error

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 RGB (H, W, 3) to a mask (224, 224), True where there is an artifact.

        Raises:
            HlfError: the file takes other inputs or gives something else.
        """
        try:
            with torch.inference_mode():
                found = self.network(torch.from_numpy(detector_input(image)).to(self.device))[0][0].cpu().float()
        except (RuntimeError, IndexError, TypeError, AttributeError) as error:
            raise HlfError(
                f"detector {self.path} fails on (1, 3, {MOSAIC}, {MOSAIC}) ({_reason(error)}); fetch the right file"
            ) from error
        if tuple(found.shape) != (MOSAIC, MOSAIC) or not bool(found.isfinite().all()):
            raise HlfError(
                f"detector {self.path} gave {tuple(found.shape)}, expected finite ({MOSAIC}, {MOSAIC}); "
                "it belongs to another program"
            )
        return np.asarray(found.numpy() != 0)


def _reason(error: Exception) -> str:
    """Last line of what torch says: the lines before it are a trace through the program in the file."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1][:160]


class JointMetric:
    """JOINT on its device, in float32.

    Attributes:
        network: see `hlf.nets.joint`; put into eval mode.
        short_side: pixels to which the short side of both images is brought.
        crop: side of the centre that the networks see.
        detector: of artifacts; None where there is none.
        mask: "detector"; "empty": every patch may move, because the caller asked for it or the zoo is mini; "none":
            nothing is known of artifacts, so there are no technical quality and no naturalness.
        unavailable: outputs that cannot be measured -> why.
        zoo: "mini" or "official".
        weights_sha256: digest of the files of JOINT and of the detector in use.
    """

    def __init__(
        self,
        network: net.Joint,
        crop: tuple[int, int],
        detector: ArtifactDetector | None,
        empty_mask: bool,
        zoo: str,
        weights_sha256: str,
        device: str = "cpu",
        reason: str = "there is no artifact detector",
    ):
        self.network, self.device = network.eval().to(device), device
        self.short_side, self.crop = crop
        self.detector = None if empty_mask else detector
        self.mask = "empty" if empty_mask else "none" if detector is None else "detector"
        self.unavailable = dict.fromkeys(OUTPUTS[1:], reason) if self.mask == "none" else {}
        self.zoo, self.weights_sha256 = zoo, weights_sha256

    def structure(self, image: np.ndarray) -> Tensor:
        """uint8 RGB (H, W, 3) to the input of the rationality network (1, 3, crop, crop)."""
        return centre(structure_image(image), self.short_side, self.crop)

    def shuffled(self, image: np.ndarray, seed: int) -> Tensor:
        """uint8 RGB (H, W, 3) to the input of the technical network (1, 3, crop, crop)."""
        mask = np.zeros((MOSAIC, MOSAIC), bool) if self.detector is None else self.detector(image)
        return centre(shuffle_patches(image, mask, seed), self.short_side, self.crop)

    def __call__(self, image: np.ndarray, seed: int) -> dict[str, float]:
        """All available outputs of one image, by name (OUTPUTS without `unavailable`); higher is more natural.

        Args:
            image: uint8 RGB (H, W, 3), from one pixel up.
            seed: of the patch shuffle, see `shuffle_seed`; decides technical quality and naturalness, not rationality.

        Raises:
            HlfError: no such picture, a very long one, a detector that fails, or an output that is no number.
        """
        check_picture(image, "JOINT")
        if max(image.shape[:2]) > LONGEST * min(image.shape[:2]):
            raise HlfError(
                f"JOINT got {image.shape[1]}x{image.shape[0]} pixels, expected sides within {LONGEST}:1; crop first"
            )
        with torch.inference_mode():
            values = {"rationality": self.network.rationality(self.structure(image).to(self.device))}
            if not self.unavailable:
                values["technical"] = self.network.technical(self.shuffled(image, seed).to(self.device))
                values["naturalness"] = net.naturalness(values["technical"], values["rationality"])
        numbers = {name: float(value) for name, value in values.items()}
        wrong = [name for name, value in numbers.items() if not math.isfinite(value)]
        if wrong:
            raise HlfError(f"JOINT gave {numbers[wrong[0]]} for {wrong[0]}; its weights do not fit this image")
        return numbers


def shuffle_seed(config_seed: int, image_id: str, *more: str | float) -> int:
    """Seed of the patch shuffle of one image, see `hlf.seeds`."""
    return seed_for(config_seed, "joint", image_id, *more)


def load_joint(zoo: str, folder: str | Path, device: str = "cpu", empty_mask: bool = False) -> JointMetric:
    """JOINT with the weights of a zoo.

    The mini zoo (config.json with `network`, `short_side`, `crop`) has no artifact detector: there the mask is always
    empty. In the official one, the detector's file may be absent; then rationality alone is available.

    Args:
        zoo: "mini" or "official".
        folder: folder of that zoo.
        device: cpu or cuda.
        empty_mask: shuffle every patch, whether there is a detector or not.

    Raises:
        HlfError: missing, truncated or foreign files.
    """
    paths = find_weights(zoo, folder, "joint")
    if zoo == "mini":
        config = read_config(paths[0], ("network", "short_side", "crop"))
        network = build_mini(net.build, config, read_state(paths[1]), paths[0], paths[1])
        try:
            crop = int(config["short_side"]), int(config["crop"])
        except (TypeError, ValueError) as error:
            raise HlfError(f"{paths[0]}: expected numbers short_side and crop; retrain the mini zoo") from error
        return JointMetric(network, crop, None, True, zoo, weights_sha256(paths), device)
    network = build_filled(lambda: net.Joint(**net.OFFICIAL), read_state(paths[0], ()), paths[0])
    detector, reason = None, ""
    if not empty_mask:
        try:
            found = find_weights(zoo, folder, "joint-detector")
        except HlfError as error:
            reason = str(error)
        else:
            detector, paths = ArtifactDetector(found[0], device), paths + found
    return JointMetric(network, OFFICIAL_CROP, detector, empty_mask, zoo, weights_sha256(paths), device, reason)
