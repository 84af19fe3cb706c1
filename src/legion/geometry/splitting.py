"""Along which axis a layer's output may be shared out."""

from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.operators.rule import Whole


def split_axis(demand: Demand, layer_index: int) -> int | None:
    """Rows (axis 2) from rank 4 on, axis 1 for rank 3; None where a layer stays whole on one node.

    It stays whole where it has several outputs, a tensor of data-dependent shape or an operator
    without a rule, and where one element of the axis needs all of every input anyway.
    """
    model = demand.model
    layer = model.layers[layer_index]
    if len(layer.outputs) != 1:
        return None
    whole = Box.whole(model.tensors[layer.outputs[0]].shape)
    axis = 2 if len(whole.shape) >= 4 else 1
    if len(whole.shape) < 3 or whole.shape[axis] < 2:
        return None
    if any(isinstance(demand.rule(operator), Whole) for operator in layer.operators):
        return None
    middle = whole.shape[axis] // 2
    slices = (whole.replace(axis, (index, index + 1)) for index in (0, middle))
    return axis if any(_needs_part(demand, layer_index, box) for box in slices) else None


def _needs_part(demand: Demand, layer_index: int, box: Box) -> bool:
    """Whether this box of a layer's output needs less than all of some input."""
    layer = demand.model.layers[layer_index]
    needed = demand.layer(layer_index, {layer.outputs[0]: box})
    return any(needed.get(name) != Box.whole(demand.model.tensors[name].shape) for name in layer.inputs)
