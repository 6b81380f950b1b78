"""The one exception that carries a sentence for the user."""


class HlfError(Exception):
    """Wrong input or a missing file, told in one sentence: what was expected, what came, where, what to do next.

    Commands and workflow jobs print the sentence without a traceback and exit with a code other than 0.
    """


def of_system(error: OSError) -> str:
    """The sentence for what the system refuses where no sentence of ours foresees it: a full disk, missing rights.

    >>> of_system(PermissionError(13, "Permission denied", "votes.csv"))
    "the system refuses 'votes.csv': Permission denied; check the path, its rights and the space on its disk"
    """
    what = f"'{error.filename}'" if error.filename is not None else "to read or write"
    return f"the system refuses {what}: {error.strerror or error}; check the path, its rights and the space on its disk"
