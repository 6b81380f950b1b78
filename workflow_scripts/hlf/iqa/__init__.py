"""Image quality metrics that the human scores are compared with (paper 4.1)."""
