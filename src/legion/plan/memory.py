"""How much memory a plan needs on each node, and whether it fits."""

from collections.abc import Mapping
from math import prod

import numpy as np

from legion.errors import InfeasibleError
from legion.model.model import Model
from legion.plan.executable import ExecutablePlan, NodePlan

MORE_MEMORY = "add devices or memory, or choose another policy or other shares"
"""What helps where a plan does not fit."""


def required_bytes(model: Model, plan: NodePlan) -> int:
    """Weights, and the inputs and outputs of all runs held at once (an upper bound).

    Weights are mapped from their file once, and each graph that has them keeps a reordered copy.
    """
    constants = [constant for graph in plan.graphs for constant in graph.constants]
    sizes = [prod(constant.shape) * np.dtype(constant.dtype).itemsize for constant in constants]
    mapped = {(constant.digest, constant.name): size for constant, size in zip(constants, sizes, strict=True)}
    activations = 0
    for step in plan.steps:
        for buffer in step.buffers:
            activations += prod(buffer.shape) * np.dtype(model.tensors[buffer.tensor].dtype).itemsize
        for tensor, box in step.outputs:
            activations += box.volume * np.dtype(model.tensors[tensor].dtype).itemsize
    return sum(mapped.values()) + sum(sizes) + activations


def check_memory(model: Model, plan: ExecutablePlan, memory_bytes: Mapping[str, int]) -> None:
    """Raise InfeasibleError, with the numbers, if a device's part does not fit into its memory."""
    for name, node in plan.nodes.items():
        if name not in memory_bytes:
            continue
        needed = required_bytes(model, node)
        if needed > memory_bytes[name]:
            raise InfeasibleError(
                f"device {name} needs {needed / 1e6:.0f} MB for its part of the plan, "
                f"has {memory_bytes[name] / 1e6:.0f} MB; {MORE_MEMORY}"
            )
