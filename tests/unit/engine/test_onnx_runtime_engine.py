"""What the runtime relies on: shared sessions, eviction, open extents, and errors that say whose fault it is."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_building import loader, local_graph, normal, operator

from legion.engine.base import graph_key
from legion.engine.constants import constant_values, synthetic_constant
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.engine.onnx_session import available_providers
from legion.errors import InfeasibleError, InputError, InternalError, PeerError
from legion.geometry.local_graph import LocalConstant, LocalGraph, LocalInput
from legion.model.model import Array, Operator

WEIGHTS = {"w": normal((16, 8, 3, 3), seed=1)}
CONVOLUTION = operator("Conv", ["x", "w"], "y", pads=(1, 1, 1, 1), strides=(1, 1))
X = normal((1, 8, 10, 9))


def refuse(constant: LocalConstant) -> Array:
    raise AssertionError(f"{constant.name} was loaded")


def test_equal_graphs_share_one_session() -> None:
    engine = OnnxRuntimeEngine()
    first = engine.prepare(local_graph([CONVOLUTION], {"x": X}, WEIGHTS), loader(WEIGHTS))
    reordered = operator("Conv", ["x", "w"], "y", strides=(1, 1), pads=(1, 1, 1, 1))
    assert engine.prepare(local_graph([reordered], {"x": X[:, :, :4]}, WEIGHTS), refuse) is first


def test_differing_weights_do_not_share() -> None:
    engine = OnnxRuntimeEngine()
    other = {"w": 2 * WEIGHTS["w"]}
    load = loader(WEIGHTS, other)
    single, double = (
        engine.prepare(local_graph([CONVOLUTION], {"x": X}, weights), load).run([X])[0] for weights in (WEIGHTS, other)
    )
    np.testing.assert_array_equal(double, 2 * single)


@pytest.mark.parametrize(
    "change",
    [
        {"opset": 19},
        {"outputs": ("y", "x")},
        {"operators": (operator("Conv", ["x", "w"], "y", pads=(1, 1, 1, 1)),)},
        {"inputs": (LocalInput(name="x", dtype="float32", dims=(1, 8, 10, None)),)},
        {"constants": (LocalConstant(name="w", shape=(16, 8, 3, 3), dtype="float32", digest=None),)},
    ],
)
def test_graphs_that_differ_have_different_keys(change: dict[str, Any]) -> None:
    graph = local_graph([CONVOLUTION], {"x": X}, WEIGHTS)
    assert graph_key(replace(graph, **change)) != graph_key(graph)


def test_one_executable_runs_all_extents() -> None:
    graph = local_graph([operator("Conv", ["x", "w"], "y", pads=(0, 1, 0, 1))], {"x": X}, WEIGHTS)
    executable = OnnxRuntimeEngine().prepare(graph, loader(WEIGHTS))
    (whole,) = executable.run([X])
    for low in range(8):
        for high in range(low + 3, 11):
            (tile,) = executable.run([X[:, :, low:high]])
            np.testing.assert_array_equal(tile, whole[:, :, low : high - 2])


def test_two_inputs_need_not_grow_alike() -> None:
    nodes = [operator("Conv", ["a", "w"], "c"), operator("Conv", ["b", "w"], "d"), operator("Add", ["c", "d"], "y")]
    executable = OnnxRuntimeEngine().prepare(local_graph(nodes, {"a": X, "b": X}, WEIGHTS), loader(WEIGHTS))
    nothing = np.zeros_like(X)
    whole, row = executable.run([X, nothing])[0], executable.run([X[:, :, :3], nothing[:, :, :3]])[0]
    np.testing.assert_array_equal(executable.run([X, X[:, :, :3]])[0], whole + row)


def test_resident_bytes_count_both_copies_and_what_is_shared_once() -> None:
    engine = OnnxRuntimeEngine()
    size = WEIGHTS["w"].nbytes
    graphs = [local_graph([CONVOLUTION], {"x": X}, WEIGHTS, opset=opset) for opset in (18, 19)]
    for count, graph in enumerate(graphs, start=1):
        engine.prepare(graph, loader(WEIGHTS))
        assert engine.resident_bytes == (1 + count) * size
    engine.retain(graphs[1:])
    assert engine.resident_bytes == 2 * size
    engine.retain([])
    assert engine.resident_bytes == 0


def test_retained_graphs_keep_their_session_and_others_are_made_anew() -> None:
    engine = OnnxRuntimeEngine()
    graphs = [local_graph([CONVOLUTION], {"x": X}, WEIGHTS, opset=opset) for opset in (18, 19)]
    kept, dropped = (engine.prepare(graph, loader(WEIGHTS)) for graph in graphs)
    engine.retain(graphs[:1])
    assert engine.prepare(graphs[0], refuse) is kept
    assert engine.prepare(graphs[1], loader(WEIGHTS)) is not dropped
    assert dropped.run([X])[0].shape == (1, 16, 10, 9)


def test_results_stay_as_they_are() -> None:
    engine = OnnxRuntimeEngine()
    executable = engine.prepare(local_graph([CONVOLUTION], {"x": X}, WEIGHTS), loader(WEIGHTS))
    (first,) = executable.run([X])
    before = first.copy()
    for _ in range(3):
        executable.run([-X])
    engine.retain([])
    del executable
    np.testing.assert_array_equal(first, before)


def test_inputs_and_constants_may_be_outputs_and_come_as_copies() -> None:
    constants = {"c": normal((3,))}
    graph = local_graph([operator("Relu", ["x"], "y")], {"x": X}, constants, outputs=("x", "y", "c"))
    outputs = OnnxRuntimeEngine().prepare(graph, loader(constants)).run([X])
    for values, expected in zip(outputs, (X, np.maximum(X, 0), constants["c"]), strict=True):
        np.testing.assert_array_equal(values, expected)
        assert not np.shares_memory(values, X)
        assert not np.shares_memory(values, constants["c"])


def test_a_graph_without_operators_hands_its_input_on() -> None:
    (result,) = OnnxRuntimeEngine().prepare(local_graph([], {"x": X}, outputs=("x",)), refuse).run([X])
    np.testing.assert_array_equal(result, X)


def test_memory_mapped_weights_are_read_in_place(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", WEIGHTS["w"])
    graph = local_graph([CONVOLUTION], {"x": X}, WEIGHTS)
    mapped = OnnxRuntimeEngine().prepare(graph, lambda _: np.load(tmp_path / "w.npy", mmap_mode="r"))
    expected = OnnxRuntimeEngine().prepare(graph, loader(WEIGHTS))
    np.testing.assert_array_equal(mapped.run([X])[0], expected.run([X])[0])


@pytest.mark.parametrize("dtype", ["bool", "float16", "float32", "float64", "int8", "int32", "int64", "uint8"])
@pytest.mark.parametrize("extent", [3, 3000])
def test_dtypes_of_inputs_and_of_small_and_large_constants(dtype: str, extent: int) -> None:
    constants = {"c": np.arange(extent).astype(dtype)}
    x = np.ones(extent, dtype)
    op_type = "And" if dtype == "bool" else "Add" if dtype[0] == "f" or dtype in ("int32", "int64") else "Where"
    names = ["c", "x", "x"] if op_type == "Where" else ["x", "c"]
    nodes = [operator(op_type, names, "y")]
    if op_type == "Where":
        nodes = [operator("Cast", ["c"], "flags", to=9), operator("Where", ["flags", "x", "x"], "y")]
    (result,) = OnnxRuntimeEngine().prepare(local_graph(nodes, {"x": x}, constants), loader(constants)).run([x])
    assert result.dtype == x.dtype


def test_an_input_of_unknown_rank_takes_any() -> None:
    graph = LocalGraph(
        opset=18,
        operators=(operator("Relu", ["x"], "y"),),
        inputs=(LocalInput(name="x", dtype="float32", dims=None),),
        outputs=("y",),
        constants=(),
    )
    executable = OnnxRuntimeEngine().prepare(graph, refuse)
    for values in (X, X[0], X[0, 0, 0]):
        assert executable.run([values])[0].shape == values.shape


def test_numbers_may_be_written_as_integers_and_sequences_may_be_empty() -> None:
    nodes = [operator("LeakyRelu", ["x"], "t", alpha=0), operator("Transpose", ["t"], "y", perm=(3, 2, 1, 0))]
    (result,) = OnnxRuntimeEngine().prepare(local_graph(nodes, {"x": X}), refuse).run([X])
    np.testing.assert_array_equal(result, np.maximum(X, 0).T)
    scalar = np.array(-2.0, np.float32)
    graph = local_graph([operator("Transpose", ["s"], "y", perm=())], {"s": scalar})
    assert OnnxRuntimeEngine().prepare(graph, refuse).run([scalar]) == [scalar]


BAD_OPERATORS: dict[str, list[Operator]] = {
    "^operator 'Conf for y' .* is no operator": [operator("Conf", ["x"], "y")],
    "no longer an operator": [operator("Upsample", ["x"], "y")],
    "does not know": [operator("Relu", ["x"], "y", slope=1)],
    "wrong type": [operator("Concat", ["x"], "y", axis="rows")],
    r"wrong type: 3": [operator("MaxPool", ["x"], "y", kernel_shape=3)],
    r"wrong type: \(1, 'a'\)": [operator("MaxPool", ["x"], "y", kernel_shape=(1, "a"))],
    "holds a tensor or a graph": [operator("Loop", ["x"], "y", body=1)],
    "ONNX Runtime cannot run Concat for y": [operator("Concat", ["x"], "y")],
    "Duplicate": [operator("Relu", ["x"], "y"), operator("Abs", ["x"], "y")],
    "acyclic": [operator("Add", ["x", "y"], "t"), operator("Relu", ["t"], "y")],
    "'nothing'": [operator("Relu", ["nothing"], "y")],
    "cannot run Relu for z": [operator("Relu", ["x"], "z")],
    "cannot be written: can't serialize": [operator("Concat", ["x"], "y", axis=1 << 70)],
    "out of range": [operator("Concat", ["x"], "y", axis=1 << 63)],
    "and 2 more": [operator("Relu", ["x"], f"t{index}") for index in range(6)],
    "an empty graph": [],
    "surrogates": [operator("Relu", ["x"], "y\ud800")],
    "kernel_shape": [operator("MaxPool", ["x"], "y", kernel_shape=(0, 0))],
    "repeated": [operator("Transpose", ["x"], "y", perm=(0, 0, 0, 0))],
}


@pytest.mark.parametrize("message", BAD_OPERATORS)
def test_bad_operators(message: str) -> None:
    with pytest.raises(InputError, match=message):
        OnnxRuntimeEngine().prepare(local_graph(BAD_OPERATORS[message], {"x": X}), refuse)


@pytest.mark.parametrize("opset", [0, 1, 99])
def test_bad_opset(opset: int) -> None:
    with pytest.raises(InputError):
        OnnxRuntimeEngine().prepare(local_graph([operator("Relu", ["x"], "y")], {"x": X}, opset=opset), refuse)


BAD_DTYPES = ["object", "str", "complex64", "bfloat16", "f4,f4", "(2", "2,", "nonsense", ""]


@pytest.mark.parametrize("dtype", BAD_DTYPES)
def test_a_constant_of_a_bad_dtype_is_not_even_loaded(dtype: str) -> None:
    for digest in ("0" * 32, None):
        with pytest.raises(InputError):
            constant_values(LocalConstant(name="w", dtype=dtype, shape=(1,), digest=digest), refuse)


def test_synthetic_values_beyond_what_arrays_can_be() -> None:
    for shape in ((1,) * 100, (2**62, 2**62)):
        with pytest.raises(InfeasibleError):
            synthetic_constant(LocalConstant(name="w", dtype="float32", shape=shape, digest=None))


@pytest.mark.parametrize("dtype", BAD_DTYPES)
def test_bad_dtype(dtype: str) -> None:
    graph = LocalGraph(
        opset=18,
        operators=(operator("Relu", ["x"], "y"),),
        inputs=(LocalInput(name="x", dtype=dtype, dims=(1,)),),
        outputs=("y",),
        constants=(),
    )
    with pytest.raises(InputError):
        OnnxRuntimeEngine().prepare(graph, refuse)


def test_an_input_of_negative_extent_is_refused() -> None:
    graph = LocalGraph(
        opset=18,
        operators=(),
        inputs=(LocalInput(name="x", dtype="float32", dims=(1, -2)),),
        outputs=("x",),
        constants=(),
    )
    with pytest.raises(InputError, match="negative"):
        OnnxRuntimeEngine().prepare(graph, refuse)


def test_a_loader_that_fails_is_heard() -> None:
    def load(constant: LocalConstant) -> Array:
        raise PeerError(f"{constant.name} was never sent")

    with pytest.raises(PeerError):
        OnnxRuntimeEngine().prepare(local_graph([CONVOLUTION], {"x": X}, WEIGHTS), load)


def test_a_graph_that_failed_may_be_prepared_again() -> None:
    engine = OnnxRuntimeEngine()
    graph = local_graph([CONVOLUTION], {"x": X}, WEIGHTS)
    with pytest.raises(InputError, match="stored values"):
        engine.prepare(graph, lambda _: WEIGHTS["w"][:1])
    assert engine.prepare(graph, loader(WEIGHTS)).run([X])[0].shape == (1, 16, 10, 9)


@pytest.mark.parametrize(
    "inputs", [[], [X, X], [X.astype(np.float64)], [X[0]], [X[:, :4]], [X[:, :, :0]]], ids=lambda value: str(len(value))
)
def test_inputs_that_do_not_suit_the_graph(inputs: list[Array]) -> None:
    node = operator("Conv", ["x", "w"], "y")
    executable = OnnxRuntimeEngine().prepare(local_graph([node], {"x": X}, WEIGHTS), loader(WEIGHTS))
    with pytest.raises(InternalError, match="Conv for y"):
        executable.run(inputs)
    assert executable.run([X])[0].shape == (1, 16, 8, 7)


def test_providers() -> None:
    assert OnnxRuntimeEngine().providers == ("CPUExecutionProvider",)
    other = next(name for name in available_providers() if name != "CPUExecutionProvider")
    assert OnnxRuntimeEngine(provider=other).providers == (other, "CPUExecutionProvider")
    with pytest.raises(InputError, match=r"'TpuExecutionProvider'.*CPUExecutionProvider"):
        OnnxRuntimeEngine(provider="TpuExecutionProvider")


def test_what_an_engine_says_of_itself() -> None:
    engine = OnnxRuntimeEngine()
    assert (engine.name, engine.threads) == ("onnxruntime", 1)
    assert set(engine.versions) == {"numpy", "onnx", "onnxruntime"}


@pytest.mark.parametrize("threads", [0, -1])
def test_no_engine_without_a_thread(threads: int) -> None:
    with pytest.raises(InputError, match="at least one thread"):
        OnnxRuntimeEngine(threads=threads)


def test_a_process_settles_on_one_number_of_threads() -> None:
    OnnxRuntimeEngine()
    with pytest.raises(InputError, match="another process"):
        OnnxRuntimeEngine(threads=2)


POOLED = f"""
import sys, threading
sys.path.insert(0, {str(Path(__file__).parent)!r})
import os
from engine_building import loader, local_graph
from test_onnx_runtime_engine import CONVOLUTION, WEIGHTS, X
from legion.engine.onnx_runtime import OnnxRuntimeEngine
threads = lambda: len(os.listdir("/proc/self/task"))
engine = OnnxRuntimeEngine(threads=3)
before = threads()
for opset in (18, 19, 20):
    engine.prepare(local_graph([CONVOLUTION], {{"x": X}}, WEIGHTS, opset=opset), loader(WEIGHTS)).run([X])
assert threads() == before, "sessions have threads of their own"
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux shows them")
def test_sessions_of_several_threads_share_one_pool() -> None:
    subprocess.run([sys.executable, "-c", POOLED], check=True, timeout=60)
