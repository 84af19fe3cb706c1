"""Which layers may form a group."""

import numpy as np
from numpy.typing import NDArray

from legion.model.model import Model


def connected_groups(model: Model) -> NDArray[np.bool_]:
    """`[first, last]`: whether the layers first..last hang together through the tensors that they read and make."""
    count = len(model.layers)
    connected = np.zeros((count, count), dtype=np.bool_)
    for last in range(count):
        components: list[set[str]] = []
        for first in range(last, -1, -1):
            tensors = {*model.layers[first].inputs, *model.layers[first].outputs}
            apart = [component for component in components if component.isdisjoint(tensors)]
            touched = [component for component in components if not component.isdisjoint(tensors)]
            components = [*apart, tensors.union(*touched)]
            connected[first, last] = len(components) == 1
    return connected
