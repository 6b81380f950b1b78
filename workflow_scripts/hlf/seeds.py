"""Seeds that depend on names only, so that sharding, order, resume and batch size never change a result."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def seed_for(config_seed: int, stage: str, *ids: str | int | float) -> int:
    """Seed of one random decision, in [0, 2**64): first 8 bytes of BLAKE2b of the joined names.

    Args:
        config_seed: the run's `seed` from the configuration.
        stage: stage word, such as "degradation" or "sr".
        ids: what the decision is about: image id, level, model... A float, numpy's too, is written with `repr`.

    >>> seed_for(42, "degradation", "img", 0.3) == seed_for(42, "degradation", "img", 0.3)
    True
    """
    # the unit separator cannot stand in a name, so ("a", "bc") and ("ab", "c") stay different
    names = [repr(float(i)) if isinstance(i, float) else str(i) for i in ids]
    text = "\x1f".join([str(int(config_seed)), stage, *names])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def generator(config_seed: int, stage: str, *ids: str | int | float) -> "np.random.Generator":
    """Numpy generator seeded by `seed_for` of the same arguments."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(seed_for(config_seed, stage, *ids)))
