"""Stage tuning: SeeSR's own training objective, and what the paper adds to it (paper 5)."""
