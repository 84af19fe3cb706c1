"""Crops as convolutions: the same numbers, and images that stay in blocks."""

import platform
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
from engine_building import loader, local_graph, normal, operator
from hypothesis import given
from hypothesis import strategies as st

from legion.engine import onnx_build, onnx_session
from legion.engine.blocked_crops import convolved_crops, keeps_blocks
from legion.engine.onnx_build import build_onnx
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.engine.onnx_session import optimised
from legion.engine.reference import ReferenceExecutable
from legion.geometry.emitter import END
from legion.geometry.local_graph import LocalGraph
from legion.model.model import Array, Operator

CHANNELS = 16
X = normal((1, CHANNELS, 14, 12))
Margins = dict[int, tuple[int, int]]
Block = tuple[LocalGraph, dict[str, Array]]

MARGINS = st.dictionaries(st.sampled_from([2, 3]), st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1)


def block(
    margins: Margins, rest: Sequence[Operator] = (), outputs: Sequence[str] = ("y",), group: int = 1, **settings: Array
) -> Block:
    """A residual block in a tile: what the window of the convolution takes off x, the shortcut's crop cuts off.

    The crop, named "cut", is as the geometry writes it; `settings` are more of its inputs.
    """
    settings = {
        "starts": np.array([before for before, _ in margins.values()]),
        "ends": np.array([-after if after else END for _, after in margins.values()]),
        "axes": np.array(list(margins)),
    } | settings
    window = [sum(margins.get(axis, (0, 0))) + 1 for axis in (2, 3)]
    constants = {"w": normal((CHANNELS, CHANNELS // group, *window), seed=1), **settings}
    operators = [
        operator("Conv", ["x", "w"], "t", group=group),
        operator("Slice", ["x", *settings], "cut"),
        operator("Add", ["t", "cut"], "y"),
        *rest,
    ]
    return local_graph(operators, {"x": X}, constants, outputs), constants


def kinds(graph: LocalGraph) -> list[str]:
    return [each.op_type for each in graph.operators]


@given(margins=MARGINS, group=st.sampled_from([1, 4, CHANNELS]))
def test_a_convolution_cuts_what_the_slice_cut(margins: Margins, group: int) -> None:
    graph, constants = block(margins, group=group)
    convolved, values = convolved_crops(graph, constants)
    assert kinds(convolved) == ["Conv", "Conv", "Add"]
    assert {each.name: each.shape for each in convolved.constants} == {
        name: each.shape for name, each in values.items()
    }
    expected = ReferenceExecutable(graph, constants).run([X])[0]
    np.testing.assert_array_equal(ReferenceExecutable(convolved, values).run([X])[0], expected)
    engine = OnnxRuntimeEngine()
    for fixed in (graph, graph.made_for([(X.shape,)])):
        np.testing.assert_allclose(engine.prepare(fixed, loader(constants)).run([X])[0], expected, rtol=1e-5, atol=1e-4)


OTHERS: dict[str, Block] = {
    "read by another operator": block({2: (1, 1)}, [operator("Relu", ["cut"], "z")], ["y", "z"]),
    "an output": block({2: (1, 1)}, outputs=["y", "cut"]),
    "cuts channels": block({1: (1, 1)}),
    "cuts much": block({2: (5, 4)}),
    "counts from the end": block({2: (-1, 1)}),
    "takes every second row": block({2: (1, 1)}, steps=np.array([2])),
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_slices_stay(case: str) -> None:
    graph, constants = OTHERS[case]
    assert convolved_crops(graph, constants) == (graph, constants)


def test_crops_of_what_no_convolution_reads_stay() -> None:
    graph, constants = block({2: (1, 1)})
    apart = local_graph([operator("Conv", ["other", "w"], "t"), *graph.operators[1:]], {"x": X, "other": X}, constants)
    assert convolved_crops(apart, constants) == (apart, constants)


def test_crops_of_other_types_and_ranks_stay() -> None:
    graph, constants = block({2: (1, 1)})
    for weights in (constants["w"].astype(np.float64), constants["w"][..., 0], normal((CHANNELS, 3, 1, 1))):
        others = constants | {"w": weights}
        assert convolved_crops(graph, others) == (graph, others)


def test_a_kernel_has_a_name_of_its_own() -> None:
    taken = {"cut/kernel": normal((3,))}
    graph, constants = block({2: (1, 1)}, [operator("Relu", ["cut/kernel"], "z")], ["y", "z"])
    graph = local_graph(graph.operators, {"x": X}, constants | taken, graph.outputs)
    _, values = convolved_crops(graph, constants | taken)
    assert values["cut/kernel"] is taken["cut/kernel"]
    assert values["cut/kernel_"].shape == (CHANNELS, 1, 3, 1)


def test_processors_of_this_kind_keep_blocks_and_the_engine_then_convolves_crops() -> None:
    assert keeps_blocks(threads=1) or platform.machine() != "x86_64"
    graph, constants = block({2: (1, 1)})
    executable = OnnxRuntimeEngine().prepare(graph, loader(constants))
    assert any(name.endswith("cut/kernel") for name in executable.constant_bytes) == keeps_blocks(threads=1)


def test_where_nothing_can_be_asked_nothing_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bytes:
        raise OSError("no room")

    monkeypatch.setattr(onnx_session, "optimised", refuse)
    assert not keeps_blocks.__wrapped__(threads=1)


@pytest.mark.skipif(not keeps_blocks(threads=1), reason="ONNX Runtime does not compute in blocks on this processor")
def test_a_tile_of_known_extents_stays_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_build, "EXTERNAL_FROM_BYTES", sys.maxsize)
    graph, constants = block({2: (1, 1)})
    assert {"Slice", "Add"} <= operators_of(graph.made_for([(X.shape,)]), constants).keys()
    fused = operators_of(*convolved_crops(graph.made_for([(X.shape,)]), constants))
    assert fused == {"ReorderInput": 1, "Conv": 2, "ReorderOutput": 1}


def operators_of(graph: LocalGraph, constants: Mapping[str, Array]) -> Counter[str]:
    """How often ONNX Runtime has each operator when it has rewritten the graph."""
    model = onnx.load_model_from_string(optimised(build_onnx(graph, constants).SerializeToString(), threads=1))
    return Counter(node.op_type for node in model.graph.node)
