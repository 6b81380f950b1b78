"""Where and in which arithmetic the networks of a diffusion model run."""

from typing import Any

import torch

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def placed(network: Any, device: str, dtype: torch.dtype, compiled: bool = False) -> Any:
    """Network on its device, in the memory layout that convolutions on GPUs are fastest with."""
    # the method of torch: that of diffusers warns of modules to keep in float32, of which it then names none
    torch.nn.Module.to(network, device, dtype)
    if torch.device(device).type == "cuda":
        network.to(memory_format=torch.channels_last)
    return torch.compile(network) if compiled else network
