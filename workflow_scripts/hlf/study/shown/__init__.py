"""What people are shown: pairs of a run, traps and practice pairs, as a folder of images under opaque names."""
