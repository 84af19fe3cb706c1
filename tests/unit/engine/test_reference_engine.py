"""The reference engine as an engine: what it refuses, shares and forgets. Its answers are tested by agreement."""

import pytest
from engine_building import loader, local_graph, normal, operator

from legion.engine.kernel import ReferenceKernel
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.engine.pacer import Pacer
from legion.engine.reference import ReferenceEngine
from legion.errors import InputError, InternalError
from legion.model.model import Operator

X = normal((1, 3, 4, 4))
WEIGHTS = {"w": normal((2, 3, 1, 1))}
CONVOLUTION = operator("Conv", ["x", "w"], "y")


@pytest.mark.parametrize(
    "node",
    [
        operator("Einsum", ["x"], "y", equation="abcd->abcd"),
        Operator(name="p", op_type="MaxPool", inputs=("x",), outputs=("y", "i"), attributes={"kernel_shape": (1, 1)}),
    ],
)
def test_what_it_does_not_have_is_named(node: Operator) -> None:
    with pytest.raises(InputError, match=rf"the reference engine has no {node.op_type}"):
        ReferenceEngine().prepare(local_graph([node], {"x": X}), loader())


def test_old_opsets_are_refused() -> None:
    with pytest.raises(InputError, match="opset 17"):
        ReferenceEngine().prepare(local_graph([operator("Relu", ["x"], "y")], {"x": X}, opset=17), loader())


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (operator("Resize", ["x"], "y"), "neither scales nor sizes"),
        (operator("Cast", ["x"], "y", to=16), "target type 16"),
        (operator("Relu", [""], "y"), "lacks input 0"),
    ],
)
def test_variants_that_it_does_not_have(node: Operator, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ReferenceEngine().prepare(local_graph([node], {"x": X}), loader()).run([X])


def test_failures_at_run_are_internal() -> None:
    executable = ReferenceEngine().prepare(local_graph([CONVOLUTION], {"x": X}, WEIGHTS), loader(WEIGHTS))
    for inputs in ([], [X[:, :2]]):
        with pytest.raises(InternalError):
            executable.run(inputs)


def test_sharing_and_forgetting() -> None:
    engine = ReferenceEngine()
    graph = local_graph([CONVOLUTION], {"x": X}, WEIGHTS)
    executable = engine.prepare(graph, loader(WEIGHTS))
    assert engine.prepare(graph, loader()) is executable
    assert engine.resident_bytes == WEIGHTS["w"].nbytes
    engine.retain([])
    assert engine.resident_bytes == 0


@pytest.mark.parametrize("engine", [OnnxRuntimeEngine(), ReferenceEngine()], ids=lambda engine: engine.name)
def test_the_reference_kernel_takes_time_by_the_given_clock_and_survives_eviction(
    engine: OnnxRuntimeEngine | ReferenceEngine,
) -> None:
    kernel = ReferenceKernel(engine)
    engine.retain([])
    ticks = iter([10.0, 10.5, 20.0, 20.25])
    assert [kernel.time(Pacer(clock=lambda: next(ticks)).timed) for _ in range(2)] == [0.5, 0.25]
