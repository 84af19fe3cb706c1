from dataclasses import replace
from math import prod

import numpy as np
import pytest

from legion.errors import InfeasibleError
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.geometry.local_graph import LocalGraph
from legion.plan.assign import assign
from legion.plan.compile import compile_plan
from legion.plan.fed_in_parts import fed_in_parts
from legion.plan.lower import lower
from legion.plan.memory import check_memory, required_bytes
from support.networks import small


def test_each_graph_has_a_copy_of_its_own_beside_the_mapped_file() -> None:
    """The first group in three parts, top, interior and bottom: its weights are mapped once."""
    model = small("vgg16").model
    demand = Demand(model)
    flc = [range(3), range(3, len(model.layers))]
    scheme = assign(model, demand, flc, {"a": 1.0}, via_controller=False, policy="")
    whole, parted = (
        compile_plan(model, lower(model, demand, each), ConstantPool(model)).nodes["a"]
        for each in (scheme, fed_in_parts(demand, scheme, 3))
    )
    fused = sum(constant_bytes(graph) for graph in parted.graphs) - sum(constant_bytes(graph) for graph in whole.graphs)
    assert fused > 0
    activations = sum(
        required_bytes(model, replace(each, graphs=())) * sign for each, sign in ((parted, 1), (whole, -1))
    )
    assert required_bytes(model, parted) - required_bytes(model, whole) == fused + activations


def constant_bytes(graph: LocalGraph) -> int:
    return sum(prod(constant.shape) * np.dtype(constant.dtype).itemsize for constant in graph.constants)


def test_weights_count_in_both_copies_and_the_refusal_has_the_numbers() -> None:
    model = small("vgg16").model
    demand = Demand(model)
    scheme = assign(model, demand, [range(len(model.layers))], {"a": 1.0}, via_controller=True, policy="")
    plan = compile_plan(model, lower(model, demand, scheme), ConstantPool(model))
    weights = sum(array.nbytes for array in plan.constants.values())
    needed = required_bytes(model, plan.nodes["a"])
    assert 2 * weights < needed < 2 * weights + 1_000_000
    check_memory(model, plan, {"a": needed})
    with pytest.raises(InfeasibleError, match=rf"device a needs {needed / 1e6:.0f} MB .* has 1 MB"):
        check_memory(model, plan, {"a": 1_000_000})
