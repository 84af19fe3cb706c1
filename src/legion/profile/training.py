"""Layers of random configurations, from which a predictor can learn what any layer takes.

The counts are per kind; with the limits below, all of them together take a few seconds on a device.
"""

from collections.abc import Callable, Mapping
from math import prod
from random import Random

import numpy as np

from legion.geometry.build import build_segment
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.model.model import Array, AttributeValue, Layer, Model, Operator, Port, TensorType
from legion.model.signature import layer_signature
from legion.profile.extents import tile, whole_extent
from legion.profile.probes import LayerProbe, ProbePlan, layer_probe

_SEED = 0
_LARGEST_WEIGHTS = 1 << 24
_MOST_MULTIPLICATIONS = 1e9
_LARGEST_IMAGE = 1 << 22
_OPSET = 20

Shape = tuple[int, ...]


def training_models() -> tuple[Model, ...]:
    """120 networks of one layer: 48 convolutions, 18 depthwise ones, and 18 each that pool, are dense or elementwise.

    Extents are drawn evenly over their logarithm; rows are fewer than columns, as in a device's share. The draw is
    seeded, so that all devices, at any time, are trained on the same.
    """
    random = Random(_SEED)
    kinds: tuple[tuple[int, Callable[[Random], Model]], ...] = (
        (48, _convolution),
        (18, _depthwise),
        (18, _pooling),
        (18, _dense),
        (18, _elementwise),
    )
    return tuple(_drawn(random, draw) for count, draw in kinds for _ in range(count))


def plan_training() -> ProbePlan:
    """A probe of each whole training layer."""
    probes: dict[str, LayerProbe] = {}
    constants: dict[str, Array] = {}
    for model in training_models():
        demand, pool = Demand(model), ConstantPool(model, synthetic=True)
        key, extent = layer_signature(model, 0), whole_extent(model, demand, 0)
        segment = build_segment(demand, (0,), tile(model, demand, 0, extent))
        probes[key] = layer_probe(demand, pool, key, extent, segment)
        constants |= pool.arrays
    return ProbePlan(probes=tuple(probes.values()), constants=constants)


def _drawn(random: Random, draw: Callable[[Random], Model]) -> Model:
    """The first network drawn that is neither too large nor too slow."""
    while True:
        model = draw(random)
        weights = max((values.size for values in model.constants.values()), default=0)
        images = max(prod(kind.shape) for kind in model.tensors.values())
        places = prod(model.tensors[model.layers[0].outputs[0]].shape[2:])
        if weights <= _LARGEST_WEIGHTS and images <= _LARGEST_IMAGE and weights * places <= _MOST_MULTIPLICATIONS:
            return model


def _convolution(random: Random) -> Model:
    channels, filters = _between(random, 3, 1024), _between(random, 16, 1024)
    kernel = random.choice((1, 3, 3, 5, 7))
    weights = (filters, channels, kernel, kernel)
    return _windowed(random, "Conv", channels=channels, filters=filters, kernel=kernel, weights=weights)


def _depthwise(random: Random) -> Model:
    channels, kernel = _between(random, 16, 1024), random.choice((3, 3, 5))
    weights = (channels, 1, kernel, kernel)
    return _windowed(
        random, "Conv", channels=channels, filters=channels, kernel=kernel, weights=weights, group=channels
    )


def _pooling(random: Random) -> Model:
    op_type, channels = random.choice(("MaxPool", "AveragePool")), _between(random, 16, 1024)
    return _windowed(random, op_type, channels=channels, filters=channels, kernel=random.choice((2, 3)))


def _windowed(  # noqa: PLR0913 - a window is made of just these
    random: Random, op_type: str, *, channels: int, filters: int, kernel: int, weights: Shape = (), group: int = 0
) -> Model:
    rows, columns = _image(random, least=kernel)
    stride, padding = random.choice((1, 1, 2)), (kernel - 1) // 2
    extents = tuple((extent + 2 * padding - kernel) // stride + 1 for extent in (rows, columns))
    attributes: dict[str, AttributeValue] = {
        "kernel_shape": (kernel, kernel),
        "strides": (stride, stride),
        "pads": (padding,) * 4,
    }
    return _network(
        op_type,
        inputs=((1, channels, rows, columns),),
        output=(1, filters, *extents),
        weights=(weights, (filters,)) if weights else (),
        attributes=attributes | ({"group": group} if group else {}),
    )


def _dense(random: Random) -> Model:
    features, outputs = _between(random, 64, 32768), _between(random, 10, 4096)
    return _network("Gemm", inputs=((1, features),), output=(1, outputs), weights=((features, outputs), (outputs,)))


def _elementwise(random: Random) -> Model:
    rows, columns = _image(random, least=1)
    shape = (1, _between(random, 16, 512), rows, columns)
    if random.choice((True, False)):
        return _network("Add", inputs=(shape, shape), output=shape)
    joined = (1, 2 * shape[1], rows, columns)
    return _network("Concat", inputs=(shape, shape), output=joined, attributes={"axis": 1})


def _network(
    op_type: str,
    *,
    inputs: tuple[Shape, ...],
    output: Shape,
    weights: tuple[Shape, ...] = (),
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Model:
    """One operator with a Relu behind it, as networks have it, where it has weights."""
    names = tuple(f"input {index}" for index in range(len(inputs)))
    constants = {f"weights {index}": np.broadcast_to(np.float32(0), shape) for index, shape in enumerate(weights)}
    anchor = Operator(
        name=op_type, op_type=op_type, inputs=(*names, *constants), outputs=("made",), attributes=attributes or {}
    )
    rider = (Operator(name="Relu", op_type="Relu", inputs=("made",), outputs=("output",)),) if weights else ()
    outputs = rider[-1].outputs if rider else anchor.outputs
    shapes = {**dict(zip(names, inputs, strict=True)), "made": output, **dict.fromkeys(outputs, output)}
    tensors = {name: TensorType(shape=shape, dtype="float32") for name, shape in shapes.items()}
    ports = {name: Port(name=name, type=kind, dims=kind.shape) for name, kind in tensors.items()}
    return Model(
        name=f"training {op_type}",
        opset=_OPSET,
        layers=(Layer(name=anchor.name, operators=(anchor, *rider), inputs=names, outputs=outputs),),
        tensors=tensors,
        constants=constants,
        inputs=tuple(ports[name] for name in names),
        outputs=tuple(ports[name] for name in outputs),
        digest="",
    )


def _image(random: Random, least: int) -> tuple[int, int]:
    """Rows and columns, each at least `least`."""
    columns = _between(random, 7, 416)
    return _between(random, least, columns), columns


def _between(random: Random, low: int, high: int) -> int:
    """An integer of `[low, high]`, evenly over its logarithm."""
    return round(low * (high / low) ** random.random())
