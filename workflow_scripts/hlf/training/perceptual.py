"""The frozen perceptual network that the GAN and autoencoder recipes share."""

from pathlib import Path

from hlf.files import read_json
from hlf.nets import vgg
from hlf.zoo.load import load_strict, read_state
from hlf.zoo.registry import find_weights


def perceptual_network(zoo: Path) -> vgg.MiniVGG:
    """The mini VGG of folder `zoo`, frozen; `hlf.nets.vgg.perceptual_distance` reads its features."""
    paths = find_weights("mini", zoo, "vgg")
    features = vgg.build(read_json(paths[0])).requires_grad_(False).eval()
    load_strict(features, read_state(paths[1]), paths[1])
    return features
