"""Choosing pairs whose similarities spread evenly (paper 3.1)."""
