"""Crops as convolutions, for an engine that keeps images in blocks of channels from one convolution to the next.

Such an engine cannot slice blocks: for a shortcut's crop it brings the image back to plain layout, and adds there what
it would otherwise add inside a convolution. A depthwise convolution whose kernel holds a single one is the same crop,
for finite numbers, and stays in blocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import onnx

from legion.engine import onnx_session
from legion.engine.constants import synthetic_constant
from legion.engine.kernel import convolution
from legion.engine.onnx_build import build_onnx
from legion.geometry.emitter import END, fresh_name
from legion.geometry.local_graph import LocalConstant, LocalGraph
from legion.model.model import Array, Operator

_ROWS, _COLUMNS, _RANK = 2, 3, 4
_SLICE_INPUTS = 4
"""What is cut, starts, ends and axes: no steps."""

_ALIGNED = 4
"""Convolutions of each channel alone are in blocks where there are a multiple of so many channels."""

_MOST_CUT = 8
"""Rows or columns: much longer kernels take longer than what they save."""

_IN_BLOCKS = frozenset({"Add", "Conv"})
_BLOCKED = "com.microsoft.nchwc"
"""The domain of ONNX Runtime's operators on blocks of channels."""


@cache
def keeps_blocks(threads: int) -> bool:
    """Whether ONNX Runtime computes in blocks on this processor: what it makes of a small convolution tells."""
    graph = convolution(channels=_ALIGNED, kernel=1)
    constants = {constant.name: synthetic_constant(constant) for constant in graph.constants}
    model = build_onnx(graph, constants).SerializeToString()
    try:
        optimised = onnx.load_model_from_string(onnx_session.optimised(model, threads=threads))
    except Exception:  # noqa: BLE001 - whatever keeps it from telling (no room for a file, say) keeps nothing from running
        return False
    return any(node.domain == _BLOCKED for node in optimised.graph.node)


def convolved_crops(graph: LocalGraph, constants: Mapping[str, Array]) -> tuple[LocalGraph, Mapping[str, Array]]:
    """The graph and the values of its constants, with convolutions for crops from blocks to blocks.

    That is where convolutions read what is cut, which also tells its channels, and only convolutions and sums read what
    is left.
    """
    channels = _channels(graph.operators, constants)
    wanted = _read_in_blocks(graph)
    taken = {entry.name for entry in (*graph.inputs, *graph.constants)}
    taken.update(name for operator in graph.operators for name in operator.outputs)
    kernels: dict[str, Array] = {}
    operators: list[Operator] = []
    for operator in graph.operators:
        margins = _margins(operator, constants) if operator.outputs[0] in wanted else None
        if margins is None or operator.inputs[0] not in channels:
            operators.append(operator)
        else:
            count = channels[operator.inputs[0]]
            weights = fresh_name(f"{operator.outputs[0]}/kernel", taken)
            kernels[weights] = _kernel(count, margins)
            inputs = (operator.inputs[0], weights)
            operators.append(replace(operator, op_type="Conv", inputs=inputs, attributes={"group": count}))
    return _with_constants(replace(graph, operators=tuple(operators)), constants, kernels)


def _channels(operators: Sequence[Operator], constants: Mapping[str, Array]) -> dict[str, int]:
    """The channels of each image of floats that a convolution reads, where they fill blocks."""
    counts: dict[str, int] = {}
    for operator in operators:
        weights = constants.get(operator.inputs[1]) if operator.op_type == "Conv" else None
        group = operator.attributes.get("group", 1)
        if weights is None or weights.ndim != _RANK or weights.dtype != np.float32 or not isinstance(group, int):
            continue
        count = weights.shape[1] * group
        if 0 < group <= weights.shape[0] and count % _ALIGNED == 0:
            counts[operator.inputs[0]] = count
    return counts


def _read_in_blocks(graph: LocalGraph) -> set[str]:
    """What convolutions and sums read, and nobody else."""
    inside, outside = set[str](), set(graph.outputs)
    for operator in graph.operators:
        (inside if operator.op_type in _IN_BLOCKS else outside).update(operator.inputs)
    return inside - outside


def _margins(operator: Operator, constants: Mapping[str, Array]) -> dict[int, tuple[int, int]] | None:
    """How much a crop cuts before and behind, by axis; None for what is no crop of rows and columns, or a large one."""
    if operator.op_type != "Slice" or len(operator.inputs) != _SLICE_INPUTS:
        return None
    settings = [constants[name].tolist() for name in operator.inputs[1:] if name in constants]
    if len(settings) != _SLICE_INPUTS - 1 or 0 in settings[1]:
        return None
    margins = {axis: (start, 0 if end == END else -end) for start, end, axis in zip(*settings, strict=True)}
    cut = [extent for margin in margins.values() for extent in margin]
    is_small = margins.keys() <= {_ROWS, _COLUMNS} and min(cut, default=-1) >= 0 and sum(cut) <= _MOST_CUT
    return margins if is_small else None


def _kernel(channels: int, margins: Mapping[int, tuple[int, int]]) -> Array:
    """Weights that pick of each window the element that stays."""
    (above, below), (left, right) = (margins.get(axis, (0, 0)) for axis in (_ROWS, _COLUMNS))
    weights = np.zeros((channels, 1, above + 1 + below, left + 1 + right), np.float32)
    weights[:, :, above, left] = 1
    return weights


def _with_constants(
    graph: LocalGraph, constants: Mapping[str, Array], kernels: Mapping[str, Array]
) -> tuple[LocalGraph, Mapping[str, Array]]:
    """With the kernels as constants, and without those that nothing reads any more."""
    read = {name for operator in graph.operators for name in operator.inputs} | set(graph.outputs)
    kept = tuple(constant for constant in graph.constants if constant.name in read)
    made = tuple(
        LocalConstant(name=name, shape=values.shape, dtype=values.dtype.name, digest=None)
        for name, values in kernels.items()
    )
    values = {constant.name: constants[constant.name] for constant in kept} | dict(kernels)
    return replace(graph, constants=(*kept, *made)), values
