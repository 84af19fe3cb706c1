"""YOLOv2 for COCO (Redmon and Farhadi 2017, the authors' yolov2.cfg), 416x416 and 425 output channels.

425 = 5 anchors of 4 coordinates, an objectness and 80 classes. 50,962,889 parameters: the authors'
yolov2.weights has 203,934,260 bytes, a header of 16 and 50,983,561 float32 values, of which 20,672 are
the means and variances of 10,336 normalised channels. Darknet's reorg orders its channels in its own
way; SpaceToDepth differs from it by a permutation of channels, which trained weights would absorb.
"""

from legion.model.zoo.network import Network

_ANCHORS = 5
_CLASSES = 80
_LEAKY_SLOPE = 0.1
_POOL = None
_TRUNK_TO_PASSTHROUGH = (
    # (channels, kernel) of a convolution, or a pool
    (32, 3),
    _POOL,
    (64, 3),
    _POOL,
    *((128, 3), (64, 1), (128, 3)),
    _POOL,
    *((256, 3), (128, 1), (256, 3)),
    _POOL,
    *((512, 3), (256, 1), (512, 3), (256, 1), (512, 3)),
)
_TRUNK_AFTER_PASSTHROUGH = (
    _POOL,
    *((1024, 3), (512, 1), (1024, 3), (512, 1), (1024, 3)),
    *((1024, 3), (1024, 3)),
)


def build_yolov2(network: Network) -> str:
    fine = _chain(network, "input", _TRUNK_TO_PASSTHROUGH)
    coarse = _chain(network, fine, _TRUNK_AFTER_PASSTHROUGH)
    passthrough = network.space_to_depth(_convolution(network, fine, 64, 1), 2)
    tensor = _convolution(network, network.concat([passthrough, coarse]), 1024, 3)
    return network.convolution(tensor, _ANCHORS * (5 + _CLASSES), 1, bias=True, gain=1.0)


def _chain(network: Network, tensor: str, steps: tuple[tuple[int, int] | None, ...]) -> str:
    for step in steps:
        tensor = network.max_pool(tensor, 2, 2) if step is None else _convolution(network, tensor, *step)
    return tensor


def _convolution(network: Network, tensor: str, channels: int, kernel: int) -> str:
    convolved = network.convolution(tensor, network.hidden(channels), kernel)
    return network.leaky_relu(network.batch_normalization(convolved), _LEAKY_SLOPE)
