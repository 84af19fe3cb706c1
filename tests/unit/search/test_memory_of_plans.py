"""The memory that the search counts is what plans need when they are made ready."""

from dataclasses import replace

import numpy as np
import pytest

from legion.cost.tables import Array, Tables
from legion.geometry.constant_pool import ConstantPool
from legion.plan.compile import compile_plan
from legion.plan.lower import lower
from legion.plan.memory import required_bytes
from legion.policy.auto import COUNTED, scheme_of
from legion.policy.base import Request
from legion.search.evaluate import latencies_s
from legion.search.native import NativeTables
from legion.search.row_plans import RowPlans
from unit.search.problems import NETWORKS, PYRAMID, changed, problem


def limited(tables: Tables, memory_bytes: Array) -> NativeTables:
    return NativeTables(replace(tables, memory_bytes=memory_bytes))


def counted_bytes(tables: Tables, plan: RowPlans, device: int) -> float:
    """What a device lacks that has none."""
    without = np.where(np.arange(len(tables.devices)) == device, 0.0, np.inf)
    return float((latencies_s(limited(tables, without), plan) - latencies_s(NativeTables(tables), plan))[0])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("parts", [1, 3, 8])
def test_what_is_counted_is_what_plans_need(name: str, seed: int, parts: int) -> None:
    """Less by padding, and inputs of runs that overlap; more by what runs share, as all layers of the pyramid do."""
    model, demand, cost, tables = problem(name)
    plan = changed(tables, seed, 20)
    plan.parts[:] = parts
    scheme = scheme_of(Request(model=model, demand=demand, cost=cost), tables, plan)
    ready = compile_plan(model, lower(model, demand, scheme), ConstantPool(model))
    for place, device in enumerate(tables.devices):
        needed = required_bytes(model, ready.nodes[device]) if device in ready.nodes else 0
        most = 2.0 if name == PYRAMID else 1.2
        assert COUNTED * needed <= counted_bytes(tables, plan, place) <= most * needed


def test_every_byte_that_is_lacking_counts() -> None:
    tables = problem("vgg16")[3]
    plan = changed(tables, 3, 20)
    needed = np.array([counted_bytes(tables, plan, device) for device in range(len(tables.devices))])
    fitting_s = float(latencies_s(NativeTables(tables), plan)[0])
    assert float(latencies_s(limited(tables, needed + 1), plan)[0]) == fitting_s
    lacking = np.minimum(needed, 1000).sum()
    assert float(latencies_s(limited(tables, np.maximum(needed - 1000, 0)), plan)[0]) == pytest.approx(
        fitting_s + lacking, rel=1e-6
    )
