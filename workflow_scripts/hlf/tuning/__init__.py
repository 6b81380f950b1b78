"""Stage tuning: SeeSR fine-tuned with the HLF loss (paper 5)."""
