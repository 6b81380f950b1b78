"""Number of threads as part of the result."""


def one_thread() -> None:
    """Give torch and OpenCV one thread: another number changes the last bits, so results would depend on `--cores`."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
