"""Where a job computes: on a CPU or a GPU, and with how many threads."""

from hlf.errors import HlfError


def pick_device(device: str) -> str:
    """Word cpu or cuda for one of auto, cpu and cuda; HlfError when a GPU is asked for and none is there."""
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise HlfError(f"device '{device}' is unknown, expected auto, cpu or cuda")
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise HlfError("device 'cuda' was asked for, but torch finds no GPU; use auto or cpu")
    return "cuda" if device != "cpu" and available else "cpu"


def one_thread() -> None:
    """Give torch and OpenCV one thread: another number changes the last bits, so results would depend on `--cores`."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
