"""ResNet-18 and ResNet-50 (He et al. 2016): 11,689,512 and 25,557,032 parameters.

ResNet-50 has its stride in the 3x3 convolution of a block, as is usual now; the count is the same.
"""

from collections.abc import Callable

from legion.model.zoo.network import Network

_CHANNELS = (64, 128, 256, 512)
_CLASSES = 1000
_BOTTLENECK_EXPANSION = 4
_BRANCH_GAIN = 0.4
"""Scale of a branch's last normalisation, so that the sums of many blocks stay small."""

_Branch = Callable[[Network, str, int, int], str]


def build_resnet18(network: Network) -> str:
    return _build(network, (2, 2, 2, 2), _basic_branch, 1)


def build_resnet50(network: Network) -> str:
    return _build(network, (3, 4, 6, 3), _bottleneck_branch, _BOTTLENECK_EXPANSION)


def _build(network: Network, depths: tuple[int, ...], branch: _Branch, expansion: int) -> str:
    tensor = _normalized(network, "input", network.hidden(64), 7, 2)
    tensor = network.max_pool(network.relu(tensor), 3, 2, padding=1)
    for stage, (published, depth) in enumerate(zip(_CHANNELS, depths, strict=True)):
        channels = network.hidden(published)
        for block in range(depth):
            stride = 2 if stage > 0 and block == 0 else 1
            out = branch(network, tensor, channels, stride)
            projected = stride > 1 or network.shape(tensor)[1] != channels * expansion
            shortcut = _normalized(network, tensor, channels * expansion, 1, stride) if projected else tensor
            tensor = network.relu(network.add(out, shortcut))
    return network.gemm(network.flatten(network.global_average_pool(tensor)), _CLASSES, gain=1.0)


def _basic_branch(network: Network, tensor: str, channels: int, stride: int) -> str:
    tensor = network.relu(_normalized(network, tensor, channels, 3, stride))
    return network.batch_normalization(network.convolution(tensor, channels, 3), gain=_BRANCH_GAIN)


def _bottleneck_branch(network: Network, tensor: str, channels: int, stride: int) -> str:
    tensor = network.relu(_normalized(network, tensor, channels, 1))
    tensor = network.relu(_normalized(network, tensor, channels, 3, stride=stride))
    tensor = network.convolution(tensor, channels * _BOTTLENECK_EXPANSION, 1)
    return network.batch_normalization(tensor, gain=_BRANCH_GAIN)


def _normalized(network: Network, tensor: str, channels: int, kernel: int, stride: int = 1) -> str:
    return network.batch_normalization(network.convolution(tensor, channels, kernel, stride=stride))
