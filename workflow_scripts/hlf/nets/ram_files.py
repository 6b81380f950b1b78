"""RAM and DAPE checkpoints: which keys count, which may be ignored, and how the adapter goes into the weights."""

from pathlib import Path

import torch
from torch import Tensor, nn

from hlf.errors import HlfError
from hlf.nets.ram import Ram, TagList
from hlf.zoo.load import check_state, load_strict

RANK = 8
SCALE = 1 / 8  # alpha 1 over rank 8

# captioning parts of the official file that tagging never runs
UNUSED = ("tag_encoder.", "text_decoder.")
# buffers that the official loader drops and builds anew
_REBUILT = (".attn_mask", ".attn.relative_position_index")


def load_ram(ram: Ram, state: "dict[str, Tensor]", path: str | Path) -> None:
    """Fill a tagger from a RAM state dict, official or saved by us; see `used_part`.

    Raises:
        HlfError: a key of the used part is missing or mis-shaped, or a key belongs to no known part.
    """
    load_strict(ram, used_part(state), path)


def used_part(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """The keys that tagging needs: unused parts and rebuilt buffers left out, `vision_multi` called `tagging_head`."""
    return {
        key.replace("vision_multi", "tagging_head"): value
        for key, value in state.items()
        if not key.startswith(UNUSED) and not key.endswith(_REBUILT)
    }


def lora_targets(ram: Ram) -> dict[str, nn.Linear]:
    """Layers that DAPE adapts, by name: qkv of each encoder block, query and key of each head layer."""
    return {
        name: module
        for name, module in ram.named_modules()
        if isinstance(module, nn.Linear) and name.endswith((".attn.qkv", ".self.query", ".self.key"))
    }


def lora_shapes(ram: Ram) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the adapter's tensors for the used parts of RAM."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, layer in lora_targets(ram).items():
        thirds = 2 if name.endswith("qkv") else 1  # of qkv, only q and v are adapted
        rows = 2 * layer.out_features // 3 if thirds == 2 else layer.out_features
        shapes[f"{name}.lora_A"] = (thirds * RANK, layer.in_features)
        shapes[f"{name}.lora_B"] = (rows, RANK)
    return shapes


def merge_dape(ram: Ram, state: "dict[str, Tensor]", path: str | Path) -> None:
    """Add the DAPE adapter to the weights of RAM, as the official model does in `eval()`.

    The cross-attention of the first layers of `tag_encoder` shares its weights with the tagging head in the official
    program, so its deltas are added too when the file holds them. In a trained file they are zero.

    Args:
        ram: tagger with the base weights.
        state: DAPE file; keys of unused parts are ignored.
        path: where `state` came from.

    Raises:
        HlfError: a key is missing, mis-shaped or unknown.
    """
    layers = lora_targets(ram)
    shapes = lora_shapes(ram)
    tied = {
        key.replace("tagging_head.", "tag_encoder."): shape
        for key, shape in shapes.items()
        if key.startswith("tagging_head.") and key.replace("tagging_head.", "tag_encoder.") in state
    }
    shapes |= tied
    expected = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    check_state(expected, {k: v for k, v in state.items() if k in shapes or not k.startswith(UNUSED)}, path)
    for key in shapes:
        name, _, part = key.rpartition(".")
        if part == "lora_A":
            weight = layers[name.replace("tag_encoder.", "tagging_head.")].weight
            a, b = state[key].float(), state[f"{name}.lora_B"].float()
            with torch.no_grad():
                weight += (lora_delta(a, b) * SCALE).to(weight)


def lora_delta(a: Tensor, b: Tensor) -> Tensor:
    """Weight change (out, in) before scaling: B A, or for qkv (A of 2*rank rows) that of q and v around zeros for k."""
    if len(a) == RANK:
        return b @ a
    q, v = (half_b @ half_a for half_a, half_b in zip(a.chunk(2), b.chunk(2), strict=True))
    return torch.cat([q, torch.zeros_like(q), v])


def read_tags(names: Path, thresholds: Path) -> TagList:
    """Tag list of two text files with one entry a line.

    Raises:
        HlfError: unreadable, of different lengths, or a threshold that is no number.
    """
    try:
        values = tuple(float(line) for line in thresholds.read_text(encoding="utf8").split())
        lines = names.read_text(encoding="utf8").splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise HlfError(f"tag list {names} or {thresholds} cannot be read: {error}; fetch it again") from error
    if len(values) != len(lines):
        raise HlfError(f"{names} has {len(lines)} lines and {thresholds} {len(values)}, expected as many; fetch both")
    return TagList(tuple(line.strip() for line in lines), values)
