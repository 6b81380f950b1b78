"""What Table 4 compares: variants of SeeSR by name, and by which measures. Imports no heavy package, for the rules."""

from hlf.errors import HlfError

# measures of Table 4 beside HLF (paper 5), in its order
IMAGE_MEASURES = ("psnr", "ssim", "vif", "lpips", "dists")
# groups of what is measured (table `tuning_evaluation`), and the one measure of group content
HELD_OUT, TRAINED, IMAGE, CONTENT = "held-out", "trained", "image", "content"
READ_RIGHT = "read_right"
BASELINE = "seesr"  # as published, whatever its place in the list
_PREFIX = "seesr-hlf"


def variant_name(entry: str | float) -> str:
    """Name of an entry of `tuning.variants`, as in tables and paths.

    >>> variant_name("baseline"), variant_name(0.1), variant_name(1)
    ('seesr', 'seesr-hlf0.1', 'seesr-hlf1')
    """
    return BASELINE if entry == "baseline" else f"{_PREFIX}{float(entry):g}"


def alpha_of(name: str) -> float | None:
    """Alpha in a variant's name; None for the baseline.

    Raises:
        HlfError: not the name of a variant.

    >>> alpha_of("seesr"), alpha_of("seesr-hlf0.01")
    (None, 0.01)
    """
    if name == BASELINE:
        return None
    try:
        return float(name.removeprefix(_PREFIX))
    except ValueError as error:
        raise HlfError(f"'{name}' is no variant of SeeSR, expected {BASELINE} or such as {_PREFIX}0.1") from error
