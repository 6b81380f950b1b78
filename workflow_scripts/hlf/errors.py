"""The one exception that carries a sentence for the user."""


class HlfError(Exception):
    """Wrong input or a missing file, told in one sentence: what was expected, what came, where, what to do next.

    Commands and workflow jobs print the sentence without a traceback and exit with a code other than 0.
    """
