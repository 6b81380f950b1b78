"""Version of this library, for rows, cards and requests; it is no part of the code behind a result (`digest.NAMES`)."""

__version__ = "0.1.0"
