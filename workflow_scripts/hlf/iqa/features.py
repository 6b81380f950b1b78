"""LPIPS and DISTS: distances of features of a classifier, with the features of the GT computed once.

Official: pyiqa's `lpips` (AlexNet, version 0.1) and `dists` (VGG16). Mini: the same distances on the mini VGG, LPIPS as
its paper's baseline without learned weights, DISTS with equal weights.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.iqa.formulas import pyiqa_version
from hlf.iqa.picture import Picture
from hlf.iqa.registry import Source
from hlf.zoo.expected import expected
from hlf.zoo.load import check_state, read_state
from hlf.zoo.registry import find_weights

if TYPE_CHECKING:
    from torch import Tensor


class Remembered:
    """A function of a picture that keeps its last two results: the GT stays while SR pictures come and go.

    Args:
        function: of a tensor (1, C, H, W); its result is not written into.
    """

    def __init__(self, function: "Callable[[Tensor], Any]") -> None:
        self.function = function
        self.kept: list[tuple[Tensor, Any]] = []

    def __call__(self, x: "Tensor") -> Any:
        """The function's result, computed only if `x` is neither of the last two."""
        for place, (seen, result) in enumerate(self.kept):
            if seen.shape == x.shape and bool((seen == x).all()):
                self.kept.append(self.kept.pop(place))
                return result
        result = self.function(x)
        self.kept = [*self.kept[-1:], (x.clone(), result)]
        return result


class Features:
    """LPIPS or DISTS.

    Args:
        name: lpips or dists.
        distance: of SR and GT (1, 3, H, W) in [0, 1].
    """

    def __init__(self, name: str, distance: "Callable[[Tensor, Tensor], Tensor]") -> None:
        self.name, self.distance, self.version = name, distance, pyiqa_version()

    def __call__(self, sr: Picture, gt: Picture) -> dict[str, float]:
        """The distance by name: 0 = the same."""
        import torch

        with torch.inference_mode():
            return {self.name: float(self.distance(sr.tensor, gt.tensor))}


def load(name: str, source: Source) -> Features:
    """LPIPS or DISTS with its weights.

    Args:
        name: lpips or dists, also the name of the zoo's entry.
        source: of weights.

    Raises:
        HlfError: missing or wrong weights.
    """
    paths = find_weights(source.zoo, source.folder, name)
    if source.zoo == "mini":
        return Features(name, (_mini_lpips if name == "lpips" else _mini_dists)(paths))
    return Features(name, (_lpips if name == "lpips" else _dists)(*paths))


def _lpips(backbone: Path, learned: Path) -> "Callable[[Tensor, Tensor], Tensor]":
    metric = _built("lpips", backbone, learned)
    metric.net.net.forward = Remembered(metric.net.net.forward)
    return metric  # type: ignore[no-any-return]


def _dists(backbone: Path, learned: Path) -> "Callable[[Tensor, Tensor], Tensor]":
    metric = _built("dists", backbone, learned)
    metric.net.forward_once = Remembered(metric.net.forward_once)
    return metric  # type: ignore[no-any-return]


def _built(name: str, backbone: Path, learned: Path) -> Any:
    """Pyiqa's metric from two files, of which it would take any as learned weights, and go on with random ones."""
    import torch

    wanted = {key: torch.empty(one.shape, device="meta") for key, one in expected(name)[0].tensors.items()}
    state = read_state(learned)
    # published files also hold constants of the network, which are no weights
    check_state(wanted, {key: value for key, value in state.items() if key in wanted}, learned)
    import pyiqa

    with _torch_hub(backbone):
        try:
            return pyiqa.create_metric(name, device="cpu", as_loss=False, pretrained_model_path=str(learned))
        except Exception as error:  # torch and torchvision raise types of their own for wrong files
            raise HlfError(f"{backbone} and {learned} do not make a {name} ({error}); fetch them again") from error


@contextmanager
def _torch_hub(file: Path) -> Iterator[None]:
    """A torch hub that holds one file: torchvision finds it by name there and reaches for no network."""
    import torch

    before = torch.hub.get_dir()
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Path(folder, "checkpoints")
        checkpoints.mkdir()
        (checkpoints / file.name).symlink_to(file.resolve())
        torch.hub.set_dir(folder)
        try:
            yield
        finally:
            torch.hub.set_dir(before)


def _mini_lpips(paths: list[Path]) -> "Callable[[Tensor, Tensor], Tensor]":
    from hlf.nets import vgg

    network = vgg.load(paths)
    network.taps = Remembered(network.taps)  # type: ignore[method-assign, assignment]
    return lambda sr, gt: vgg.perceptual_distance(network, sr, gt)


def _mini_dists(paths: list[Path]) -> "Callable[[Tensor, Tensor], Tensor]":
    import torch
    from pyiqa.archs.dists_arch import DISTS

    from hlf.nets import vgg

    taps = vgg.load(paths).raw_taps
    # pyiqa's formula on other features; its constructor would load VGG16
    metric = DISTS.__new__(DISTS)
    torch.nn.Module.__init__(metric)
    metric.chns = [3, *(tap.shape[1] for tap in taps(torch.zeros(1, 3, 32, 32)))]
    metric.alpha = metric.beta = torch.ones(1, sum(metric.chns), 1, 1)
    metric.forward_once = Remembered(lambda x: [x, *taps(x)])
    return metric  # type: ignore[no-any-return]
