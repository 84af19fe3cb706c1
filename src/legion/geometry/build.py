"""From the boxes wanted of a group's outputs to the boxes that it is run on."""

from collections.abc import Iterable, Mapping

from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.segment import Segment


def build_segment(demand: Demand, layers: Iterable[int], outputs: Mapping[str, Box]) -> Segment:
    """Carry demand backwards through a group of layers, from the boxes wanted of exported tensors.

    Where several read a tensor, the hull of what they need is computed once. Layers of which
    nothing is needed are left out.
    """
    wanted = dict(outputs)
    computed: dict[str, Box] = {}
    used: list[int] = []
    for index in sorted(layers, reverse=True):
        boxes = {name: wanted.pop(name) for name in demand.model.layers[index].outputs if name in wanted}
        if not boxes:
            continue
        used.append(index)
        needed = demand.of_layer(index, boxes)
        computed.update(needed.outputs)
        for name, box in needed.inputs.items():
            known = wanted.get(name)
            wanted[name] = box if known is None else known.hull(box)
    return Segment(
        layers=tuple(reversed(used)),
        inputs=wanted,
        outputs={name: computed[name] for name in outputs},
        boxes=dict(reversed(computed.items())),
    )
