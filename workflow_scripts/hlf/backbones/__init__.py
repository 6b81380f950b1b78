"""Foundation backbones: one image, one embedding. Used for sampling (paper 3.1) and as the HLF metric (paper 4.2)."""
