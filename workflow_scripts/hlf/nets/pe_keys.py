"""Names of Meta's own PE-core files (`PE-Core-*.pt`) -> names of open_clip's and timm's class."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_NAMES = (
    ("attn_pool.layernorm.", "attn_pool.norm."),
    ("attn_pool.probe", "attn_pool.latent"),
    ("attn_pool.attn.", "attn_pool."),
    ("transformer.resblocks.", "blocks."),
    ("conv1.", "patch_embed.proj."),
    ("positional_embedding", "pos_embed"),
    ("class_embedding", "cls_token"),
    ("ln_pre.", "norm_pre."),
    ("ln_post.", "norm."),
    (".ln_1.", ".norm1."),
    (".ln_2.", ".norm2."),
    ("in_proj_", "qkv."),
    ("out_proj.", "proj."),
    ("mlp.c_fc.", "mlp.fc1."),
    ("mlp.c_proj.", "mlp.fc2."),
)


def from_meta(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Image tower of an official state dict, with or without the prefix `visual.`, as open_clip's `visual`.

    The projection is a bare matrix there and a linear layer with bias here; the pooling's query and key-value maps are
    one matrix there and two here.
    """
    import torch

    # beside its text tower a whole file has the prefix
    whole = any(key.startswith("visual.") for key in state)
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        if whole and not key.startswith("visual."):
            continue
        name = key.removeprefix("visual.")
        if name == "proj":
            found["trunk.head.weight"], found["trunk.head.bias"] = value.T.contiguous(), torch.zeros(value.shape[1])
            continue
        for theirs, ours in _NAMES:
            name = name.replace(theirs, ours)
        if name == "pos_embed":
            value = value[None]
        elif name == "cls_token":
            value = value.reshape(1, 1, -1)
        if name.startswith("attn_pool.qkv."):
            query, rest = value[: len(value) // 3], value[len(value) // 3 :]
            kind = name.rpartition(".")[2]
            found |= {f"trunk.attn_pool.q.{kind}": query, f"trunk.attn_pool.kv.{kind}": rest}
        else:
            found[f"trunk.{name}"] = value
    return found
