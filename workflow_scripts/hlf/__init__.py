"""High-level fidelity (HLF) of super-resolved images: degradation, SR models, study, metrics, tables.

The library behind the Snakemake workflow in the repository root. It knows nothing of Snakemake; importing it is cheap,
because every module imports its heavy packages (torch, open_clip, ...) inside the functions that need them.
"""

__version__ = "0.1.0"
