"""From votes to human scores and the train/test split (paper 3.1 and 3.2)."""
