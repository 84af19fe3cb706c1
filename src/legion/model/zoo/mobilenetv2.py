"""MobileNetV2 of width 1 (Sandler et al. 2018): 3,504,872 parameters."""

from legion.model.zoo.network import Network

_BLOCKS = (
    # expansion, channels, repeats, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_LAST_CHANNELS = 1280
_CLASSES = 1000
_BRANCH_GAIN = 0.7


def build_mobilenetv2(network: Network) -> str:
    tensor = _activated(network, network.convolution("input", network.hidden(32), 3, stride=2))
    for expansion, published, repeats, first_stride in _BLOCKS:
        for repeat in range(repeats):
            channels = network.hidden(published)
            if repeat == 0:
                branch = _inverted_bottleneck(network, tensor, expansion, channels, first_stride)
                tensor = network.batch_normalization(branch)
            else:
                branch = _inverted_bottleneck(network, tensor, expansion, channels, 1)
                tensor = network.add(network.batch_normalization(branch, gain=_BRANCH_GAIN), tensor)
    tensor = _activated(network, network.convolution(tensor, network.hidden(_LAST_CHANNELS), 1))
    return network.gemm(network.flatten(network.global_average_pool(tensor)), _CLASSES, gain=1.0)


def _inverted_bottleneck(network: Network, tensor: str, expansion: int, channels: int, stride: int) -> str:
    """Expand by a 1x1 convolution, filter depthwise, project linearly."""
    wide = network.shape(tensor)[1] * expansion
    if expansion > 1:
        tensor = _activated(network, network.convolution(tensor, wide, 1))
    tensor = _activated(network, network.convolution(tensor, wide, 3, stride=stride, groups=wide))
    return network.convolution(tensor, channels, 1, gain=1.0)


def _activated(network: Network, convolved: str) -> str:
    return network.relu6(network.batch_normalization(convolved))
