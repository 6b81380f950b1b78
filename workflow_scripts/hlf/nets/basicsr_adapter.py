"""The only place that imports basicsr: its networks and degradations, whatever the installed torchvision and torch.

basicsr 1.4.2 imports `torchvision.transforms.functional_tensor`, which torchvision 0.17 removed. It needs one function
of it, `rgb_to_grayscale`, so a module of that name holding that function is registered before the first import. Its
`filter2D` asks for contiguous images, which recent torch no longer gives it everywhere.
"""

import importlib
import importlib.util
import inspect
import sys
import types
import warnings
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError

if TYPE_CHECKING:
    from torch import Tensor, nn

INSTALL = "pip install --no-deps --no-build-isolation basicsr==1.4.2"
_REMOVED = "torchvision.transforms.functional_tensor"


def _register_removed_module() -> None:
    """Give basicsr the module that newer torchvision no longer has; does nothing where it still exists."""
    functional = importlib.import_module("torchvision.transforms.functional")
    if _REMOVED not in sys.modules and importlib.util.find_spec(_REMOVED) is None:
        alias = types.ModuleType(_REMOVED)
        alias.__dict__["rgb_to_grayscale"] = functional.rgb_to_grayscale
        sys.modules[_REMOVED] = alias


def _imported(module: str, name: str) -> Any:
    """Class or function `name` of basicsr's `module`."""
    import numpy as np

    errors = np.geterr()
    try:
        _register_removed_module()
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # its import runs dozens of modules, each able to fail in its own way
        raise HlfError(f"{name} needs the package basicsr, whose import failed ({error}); run: {INSTALL}") from error
    finally:
        # basicsr.data.degradations silences numpy's warnings for the whole process
        np.seterr(**errors)


def _build(module: str, name: str, cfg: dict[str, Any]) -> "nn.Module":
    """Instance of class `name` of basicsr's `module`, with constructor arguments `cfg`."""
    network = _imported(module, name)
    # SwinIR swallows unknown arguments, which would turn a misspelt width into the default
    unknown = [key for key in cfg if key not in inspect.signature(network).parameters]
    if unknown:
        raise HlfError(f"{name} has no argument '{unknown[0]}'; check its config.json")
    try:
        with warnings.catch_warnings():
            # SwinIR calls torch.meshgrid without the indexing that a later torch will ask for
            warnings.filterwarnings("ignore", message="torch.meshgrid")
            return network(**cfg)
    except (TypeError, AssertionError, ValueError, RuntimeError) as error:
        raise HlfError(f"{name} cannot be built from the arguments {cfg}: {error}; check its config.json") from error


def rrdbnet(**cfg: Any) -> "nn.Module":
    """BSRGAN's generator as basicsr's RRDBNet, float32 (N, 3, H, W) in [0, 1] to (N, 3, 4H, 4W), not clamped.

    Args:
        cfg: num_in_ch, num_out_ch, scale (4), num_feat, num_block, num_grow_ch.

    Raises:
        HlfError: basicsr is not installed, or an argument is unknown.
    """
    return _build("basicsr.archs.rrdbnet_arch", "RRDBNet", cfg)


def rrdb(**cfg: Any) -> "nn.Module":
    """One residual-in-residual dense block, (N, C, H, W) to the same.

    Args:
        cfg: num_feat, num_grow_ch.

    Raises:
        HlfError: basicsr is not installed, or an argument is unknown.
    """
    return _build("basicsr.archs.rrdbnet_arch", "RRDB", cfg)


def swinir(**cfg: Any) -> "nn.Module":
    """SwinIR as basicsr's class; H and W must be multiples of window_size (no padding inside), output not clamped.

    Args:
        cfg: upscale, in_chans, img_size, window_size, img_range, depths, embed_dim, num_heads, mlp_ratio, upsampler,
            resi_connection.

    Raises:
        HlfError: basicsr is not installed, or an argument does not fit.
    """
    return _build("basicsr.archs.swinir_arch", "SwinIR", cfg)


def unet_discriminator(**cfg: Any) -> "nn.Module":
    """U-Net discriminator with spectral normalisation (UNetDiscriminatorSN), (N, 3, H, W) to logits (N, 1, H, W).

    Args:
        cfg: num_in_ch, num_feat, skip_connection; H and W must be multiples of 8.

    Raises:
        HlfError: basicsr is not installed, or an argument is unknown.
    """
    return _build("basicsr.archs.discriminator_arch", "UNetDiscriminatorSN", cfg)


def degradation(name: str) -> Any:
    """Function `name` of basicsr's `data.degradations`, such as `random_mixed_kernels`; draws from global generators.

    Raises:
        HlfError: basicsr is not installed.
    """
    return _imported("basicsr.data.degradations", name)


def registry(name: str) -> Any:
    """Registry of basicsr, such as `METRIC_REGISTRY` or `LOSS_REGISTRY`, by which its option files find classes.

    Raises:
        HlfError: basicsr is not installed.
    """
    return _imported("basicsr.utils.registry", name)


def diff_jpeg() -> "nn.Module":
    """JPEG of a batch (N, 3, H, W) in [0, 1] with a quality per image (N,), rounding as a file does; not clamped.

    Raises:
        HlfError: basicsr is not installed.
    """
    return _build("basicsr.utils.diffjpeg", "DiffJPEG", {"differentiable": False})


def usm_sharp() -> "nn.Module":
    """Unsharp mask with basicsr's defaults for a contiguous batch (N, 3, H, W) in [0, 1].

    Raises:
        HlfError: basicsr is not installed.
    """
    return _build("basicsr.utils.img_process_util", "USMSharp", {})


def filter2d(images: "Tensor", kernels: "Tensor") -> "Tensor":
    """Images (N, 3, H, W) blurred each with its kernel (N, k, k), k odd, mirrored at the border.

    Raises:
        HlfError: basicsr is not installed.
    """
    blurred: Tensor = _imported("basicsr.utils.img_process_util", "filter2D")(images.contiguous(), kernels.contiguous())
    return blurred
