"""Along which axis a layer's output may be shared out."""

from collections.abc import Sequence

from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.operators.rule import Whole
from legion.model.model import Model

_FEATURES_RANK = 2
_ROWS = 2


def split_axis(demand: Demand, layer_index: int) -> int | None:
    """Rows (axis 2) from rank 4 on, axis 1 below; None where a layer stays whole on one node.

    It stays whole where it has several outputs, a tensor of data-dependent shape or an operator
    without a rule, and where one element of the axis needs all of every input anyway, and all of the weights.
    """
    model = demand.model
    layer = model.layers[layer_index]
    if len(layer.outputs) != 1:
        return None
    whole = Box.whole(model.tensors[layer.outputs[0]].shape)
    axis = sharing_axis(whole.shape)
    if axis is None or whole.shape[axis] < 2:
        return None
    if any(isinstance(demand.rule(operator), Whole) for operator in layer.operators):
        return None
    middle = whole.shape[axis] // 2
    needs_part = _needs_part_of_weights if splits_features(model, layer_index) else _needs_part_of_inputs
    slices = (whole.replace(axis, (index, index + 1)) for index in (0, middle))
    return axis if any(needs_part(demand, layer_index, box) for box in slices) else None


def sharing_axis(shape: Sequence[int]) -> int | None:
    """The axis along which a tensor of this shape would be shared out: rows from rank 4 on, axis 1 below, if any."""
    if len(shape) < _FEATURES_RANK:
        return None
    return _ROWS if len(shape) > _ROWS + 1 else 1


def splits_features(model: Model, layer_index: int) -> bool:
    """Whether a layer, if it can be split at all, is split by output features, each device with its own weights."""
    return len(model.tensors[model.layers[layer_index].outputs[0]].shape) == _FEATURES_RANK


def _needs_part_of_inputs(demand: Demand, layer_index: int, box: Box) -> bool:
    """Whether this box of a layer's output needs less than all of some input."""
    layer = demand.model.layers[layer_index]
    needed = demand.layer(layer_index, {layer.outputs[0]: box})
    return any(needed.get(name) != Box.whole(demand.model.tensors[name].shape) for name in layer.inputs)


def _needs_part_of_weights(demand: Demand, layer_index: int, box: Box) -> bool:
    """Whether this box of a layer's output needs less than all of some matrix of weights."""
    model = demand.model
    layer = model.layers[layer_index]
    wanted = demand.within(layer_index, {layer.outputs[0]: box})
    for operator in layer.operators:
        computed = wanted.get(operator.outputs[0])
        if computed is None:
            continue
        demanded = demand.rule(operator).demand(computed)
        for name, need in zip(operator.inputs, demanded, strict=False):
            shape = model.constants[name].shape if name in model.constants else ()
            if len(shape) >= _FEATURES_RANK and need is not None and need != Box.whole(shape):
                return True
    return False
