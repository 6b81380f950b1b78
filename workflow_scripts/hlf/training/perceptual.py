"""The frozen perceptual network that the GAN and autoencoder recipes share."""

from pathlib import Path

from hlf.nets import vgg
from hlf.zoo.registry import find_weights


def perceptual_network(zoo_folder: Path) -> vgg.MiniVGG:
    """The mini VGG of folder `zoo`, frozen; `hlf.nets.vgg.perceptual_distance` reads its features."""
    return vgg.load(find_weights("mini", zoo_folder, "vgg"))
