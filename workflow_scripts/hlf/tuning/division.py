"""How the images of a step are divided among processes. Imports nothing heavy: the configuration is checked with it."""

from hlf.errors import HlfError


def accumulation(step_images: int, batch_size: int, processes: int) -> int:
    """Batches that each process takes before a step.

    A step stays one of `step_images` images, the same ones, whatever the other two are: they say how it is computed.

    Args:
        step_images: images of one optimiser step, over all processes (`tuning.step_images`).
        batch_size: images that go through the networks together, in each process (`tuning.batch_size`).
        processes: that share the work, one per GPU (`tuning.processes`).

    Raises:
        HlfError: a step that cannot be divided so.

    >>> accumulation(32, 4, 1), accumulation(32, 4, 8)
    (8, 1)
    """
    together = batch_size * processes
    if step_images % together:
        raise HlfError(
            f"tuning.step_images is {step_images}, expected a multiple of {together} (tuning.batch_size {batch_size} x "
            f"tuning.processes {processes}); choose another batch_size or number of processes, since the step decides "
            "what is learned"
        )
    return step_images // together
