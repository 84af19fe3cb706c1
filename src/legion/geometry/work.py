"""How much there is to do in a layer, in the terms in which a predictor can learn what it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.segment import Segment
from legion.model.model import Model, Operator

Kind = Literal["convolution", "depthwise", "dense", "pooling", "elementwise"]

_MULTIPLICATIONS = np.array([1e6, 10.0, 10.0, 10.0, 1.0])
"""What each term of a layer's work takes, roughly: an element to be moved takes as long as some multiplications."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """A layer's kind, and its terms: 1, elements read, elements made, weights, and multiplications.

    They follow from input size and channels, number and size of filters, padding and stride.
    """

    kind: Kind
    terms: NDArray[np.float64]


def layer_work(model: Model, demand: Demand, layer: int, boxes: Mapping[str, Box]) -> Work:
    """What a layer does to yield these boxes of its outputs."""
    anchor = next(each for each in model.layers[layer].operators if each.name == model.layers[layer].name)
    weights = max(
        (model.constants[name].shape for name in anchor.inputs if name in model.constants), key=prod, default=()
    )
    kind = _kind(anchor, weights)
    read = sum(box.volume for box in demand.layer(layer, boxes).values())
    made = sum(box.volume for box in boxes.values())
    per_element = _multiplications_per_element(model, anchor, kind, weights)
    multiplications = (read if _scatters(anchor, kind) else made) * per_element
    used = prod(weights) if weights else 0.0
    if kind == "dense":
        features = boxes[model.layers[layer].outputs[0]].shape[-1]
        used *= features / model.tensors[model.layers[layer].outputs[0]].shape[-1]
    return Work(kind=kind, terms=np.array([1.0, read, made, used, multiplications]))


def segment_work(demand: Demand, segment: Segment) -> float:
    """Roughly how long a segment runs, in multiplications: to be compared with others, and more than zero."""
    total = 0.0
    for layer in segment.layers:
        made = {name: segment.boxes[name] for name in demand.model.layers[layer].outputs if name in segment.boxes}
        total += float(layer_work(demand.model, demand, layer, made).terms @ _MULTIPLICATIONS)
    return total


def _kind(anchor: Operator, weights: tuple[int, ...]) -> Kind:
    """Layers of other operators move data more than they compute, as the elementwise ones do."""
    if anchor.op_type in {"Conv", "ConvTranspose"} and weights:
        return "depthwise" if weights[1] == 1 and anchor.attributes.get("group", 1) != 1 else "convolution"
    if anchor.op_type in {"Gemm", "MatMul"} and weights:
        return "dense"
    return "pooling" if "Pool" in anchor.op_type or anchor.op_type.startswith("Reduce") else "elementwise"


def _scatters(anchor: Operator, kind: Kind) -> bool:
    """Whether each element that is read, rather than made, costs its multiplications."""
    return anchor.op_type == "ConvTranspose" or (kind == "pooling" and "kernel_shape" not in anchor.attributes)


def _multiplications_per_element(model: Model, anchor: Operator, kind: Kind, weights: tuple[int, ...]) -> float:
    match kind:
        case "convolution" | "depthwise":
            return prod(weights[1:])
        case "dense":
            return prod(weights) / max(1, model.tensors[anchor.outputs[0]].shape[-1])
        case "pooling":
            kernel = anchor.attributes.get("kernel_shape", ())
            return prod(int(extent) for extent in kernel) if isinstance(kernel, tuple) else 1
        case "elementwise":
            return 1
