"""VGG-16 and VGG-19 (Simonyan and Zisserman 2015, configurations D and E): 138,357,544 and 143,667,240 parameters."""

from legion.model.zoo.network import Network

_CHANNELS = (64, 128, 256, 512, 512)
_HIDDEN_FEATURES = 4096
_CLASSES = 1000


def build_vgg16(network: Network) -> str:
    return _build(network, (2, 2, 3, 3, 3))


def build_vgg19(network: Network) -> str:
    return _build(network, (2, 2, 4, 4, 4))


def _build(network: Network, depths: tuple[int, ...]) -> str:
    """Blocks of 3x3 convolutions, a pool after each; the first Gemm takes whatever size is left."""
    tensor = "input"
    for channels, depth in zip(_CHANNELS, depths, strict=True):
        for _ in range(depth):
            tensor = network.relu(network.convolution(tensor, network.hidden(channels), 3, bias=True))
        tensor = network.max_pool(tensor, 2, 2)
    tensor = network.flatten(tensor)
    for _ in range(2):
        tensor = network.relu(network.gemm(tensor, network.hidden(_HIDDEN_FEATURES)))
    return network.gemm(tensor, _CLASSES, gain=1.0)
