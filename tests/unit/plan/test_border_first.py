"""Borders first: what others wait for is computed apart, along the axis on which the layer is split, and sent first."""

import numpy as np

from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.plan.assign import assign
from legion.plan.border_first import border_first
from legion.plan.lower import lower
from legion.plan.program import Run, Send
from legion.plan.scheme import CONTROLLER
from support.networks import small
from unit.geometry.geometry_building import make_model, node

THIRDS = dict.fromkeys("abc", 1 / 3)


def test_both_borders_are_computed_and_sent_before_the_interior() -> None:
    model = small("vgg16").model
    demand = Demand(model)
    flc = [range(1), range(1, 2), range(2, len(model.layers))]
    scheme = assign(model, demand, flc, THIRDS, via_controller=False, policy="test")
    [whole] = scheme.groups[0].runs["b"]
    tensor, box = next(iter(whole.items()))
    low, high = box.intervals[2]
    parted = border_first(demand, scheme, [0])
    rows = [part[tensor].intervals[2] for part in parted.groups[0].runs["b"]]
    assert rows == [(low, low + 1), (high - 1, high), (low + 1, high - 1)]
    assert parted.groups[1:] == scheme.groups[1:]
    steps = lower(model, demand, parted)["b"].instructions
    first_runs = [at for at, step in enumerate(steps) if isinstance(step, Run) and step.group == 0]
    sends = [at for at, step in enumerate(steps) if isinstance(step, Send) and step.tensor == tensor]
    assert [steps[at].destination for at in sends] == ["a", "c"]  # pyright: ignore[reportAttributeAccessIssue]
    assert first_runs[0] < sends[0] < sends[1] < first_runs[2]
    assert CONTROLLER not in {step.destination for step in steps[: first_runs[2]] if isinstance(step, Send)}


def test_borders_are_rows_where_others_read_some_channels_only() -> None:
    constants = {name: np.array([value]) for name, value in (("begin", 0), ("end", 2), ("axis", 1))}
    model = make_model(
        [node("Conv", ["x", "w"], "a"), node("Slice", ["a", *constants], "b")],
        {"x": np.zeros((1, 4, 8, 8), np.float32)},
        {"w": np.zeros((4, 4, 1, 1), np.float32), **constants},
    )
    demand = Demand(model)
    by_layer = [{"a": 1.0, "b": 1.0}, {"a": 3.0, "b": 1.0}]
    scheme = assign(model, demand, [[0], [1]], by_layer, via_controller=False, policy="test")
    parts = border_first(demand, scheme, [0]).groups[0].runs["b"]
    assert [part["a"] for part in parts] == [Box.whole((1, 4, 8, 8)).replace(2, rows) for rows in ((4, 6), (6, 8))]
