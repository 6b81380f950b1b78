"""What the diffusion models (SeeSR, PASD, StableSR) share; each module holds one step of their recipes."""
