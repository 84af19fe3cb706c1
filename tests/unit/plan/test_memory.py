import pytest

from legion.errors import InfeasibleError
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.plan.assign import assign
from legion.plan.compile import compile_plan
from legion.plan.lower import lower
from legion.plan.memory import check_memory, required_bytes
from support.networks import small


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
