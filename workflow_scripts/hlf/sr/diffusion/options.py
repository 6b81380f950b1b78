"""Options that diffusion models share. Imports no heavy package: a configuration is checked before any job."""

from hlf.sr.options import Option

# what SeeSR and PASD have in common, at the defaults of both official programs
STEERED: dict[str, Option] = {
    "conditioning_scale": Option(1.0, low=0, high=10),
    "upscale": Option(4, low=1, high=16),
    "start_point": Option("lr", choices=("lr", "noise")),
    "added_prompt": Option("clean, high-resolution, 8k"),
    "user_prompt": Option(""),
    "vae_encoder_tile": Option(1024, low=0, high=65536),  # pixels; 0: never tile
    "vae_decoder_tile": Option(224, low=0, high=65536),  # latent pixels; 0: never tile
    "truncate": Option(False),
    "official_order": Option(False),
    "official_seed": Option(None, kind=int),
    "compile": Option(False),
}
