"""For all tests: one thread, no network, and hypothesis without time limits or chance."""

import os

# before torch can be imported: the number of threads is read once
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

from hypothesis import settings

settings.register_profile("hlf", deadline=None, derandomize=True)
settings.load_profile("hlf")
