"""Packages that only some parts need: their absence is told in one sentence."""

import contextlib
from collections.abc import Iterator

from hlf.errors import HlfError


@contextlib.contextmanager
def needed_for(what: str, install: str) -> Iterator[None]:
    """Turn a failed import in the block into HlfError.

    Args:
        what: what needs the package, such as "backbone dinov2".
        install: what `pip install` should be given; "'.[study]'" for an extra of this project, whose name on package
            indexes may be another's.

    >>> with needed_for("the example", "no-such-package"):
    ...     import no_such_package
    Traceback (most recent call last):
    hlf.errors.HlfError: the example needs package no_such_package, which is not installed; pip install no-such-package
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "hlf":
            raise
        where = " in a checkout of hlf" if install.startswith("'.[") else ""
        raise HlfError(
            f"{what} needs package {package}, which is not installed; pip install {install}{where}"
        ) from error
