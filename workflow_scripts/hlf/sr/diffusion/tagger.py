"""RAM with the DAPE adapter: tags for the prompt and the image context, once per image."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor

from hlf.errors import HlfError
from hlf.files import sha256
from hlf.images import picture_key
from hlf.nets import ram as ram_net
from hlf.nets.ram import Ram, TagList
from hlf.nets.ram_files import load_ram, merge_dape, read_tags
from hlf.zoo.assets import assets
from hlf.zoo.load import read_config, read_state

# of the two lists: they stand in no checkpoint, and a wrong one would go unnoticed
LIST_SHA256 = {file.path: file.sha256 for file in assets()["ram"].files if file.format == "text"}
_REMEMBERED = 64  # images; 0.3 MB each at full size


class Tagger:
    """RAM on its device, always in float32 as the official program runs it.

    Args:
        network: RAM, with or without DAPE.
        tags: its tag list.
        device: cpu or cuda.
    """

    def __init__(self, network: Ram, tags: TagList, device: str) -> None:
        self.network, self.tags, self.device = network.eval().requires_grad_(False).to(device), tags, device
        self._seen: OrderedDict[bytes, tuple[str, Tensor]] = OrderedDict()
        self.runs = 0  # how often the network ran

    def __call__(self, image: Tensor) -> tuple[str, Tensor]:
        """Tags joined with ", " and image context (1, tokens, 512) of one image (3, h, w) in [0, 1].

        The last images are remembered, so that asking again for the same picture costs nothing.
        """
        name = picture_key(image)
        if name not in self._seen:
            self._seen[name] = self._run(image)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return self._seen[name]

    def _run(self, image: Tensor) -> tuple[str, Tensor]:
        self.runs += 1
        with torch.inference_mode(False), torch.no_grad():
            pixels = ram_net.preprocess(image[None].clone().to(self.device), self.network.image_size)
            embeds, logits = self.network(pixels)
        return self.tags.read(logits)[0], embeds


def load_tagger(zoo: str, ram: list[Path], dape: list[Path], device: str, trusted: bool) -> Tagger:
    """Tagger from the files of the entries `ram` and `dape` of a zoo.

    Args:
        zoo: official (full size, lists checked by hash) or mini (config.json).
        ram: [config.json of the mini zoo,] weights, tag list, thresholds.
        dape: the adapter; empty for base RAM, which tags clean images.
        device: cpu or cuda.
        trusted: open the weights although the pickle may run code.

    Raises:
        HlfError: wrong, truncated or foreign files.
    """
    weights, *lists = ram[-3:]
    if zoo == "official":
        for path in lists:
            if sha256(path) != LIST_SHA256[path.name]:
                raise HlfError(f"{path} is not the official list (other SHA-256); fetch it again, unchanged")
    tags = read_tags(*lists)
    config = ram_net.OFFICIAL if zoo == "official" else read_config(ram[0], ("tags",))
    with torch.device("meta"):
        network = ram_net.build(config, str(ram[0]))
    network.to_empty(device="cpu")
    if len(tags.names) != len(network.label_embed):
        raise HlfError(f"{lists[0]} holds {len(tags.names)} tags, expected {len(network.label_embed)} for {weights}")
    # the official file holds the state dict under `model` beside the state of its training
    state = read_state(weights, ("model",), mapped=True, trusted=trusted, setting="sr.seesr.trust_ram_file")
    load_ram(network, state, weights)
    if dape:
        merge_dape(network, read_state(dape[-1]), dape[-1])
    return Tagger(network, tags, device)
