"""What rides on what: layers are formed as the glossary says, and nothing is lost or reordered."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from model_building import operator_types

from legion.model import zoo
from legion.model.layers import group_layers
from legion.model.model import Layer, Operator, TensorType
from legion.model.onnx_import import load_model

_SHAPE = TensorType(shape=(1, 4, 6, 6), dtype="float32")


def _grouped(
    *steps: tuple[str, Sequence[str], str],
    outputs: Sequence[str] = ("y",),
    shapes: dict[str, tuple[int, ...]] | None = None,
    types: dict[str, TensorType] | None = None,
) -> list[tuple[str, ...]]:
    """Layers as the names of tensors that their operators produce, given (type, inputs, output) of operators."""
    operators = [
        Operator(name=output, op_type=kind, inputs=tuple(inputs), outputs=(output,)) for kind, inputs, output in steps
    ]
    tensors = dict.fromkeys(("x", *(operator.name for operator in operators)), _SHAPE)
    tensors |= {name: TensorType(shape=shape, dtype="float32") for name, shape in (shapes or {}).items()} | (
        types or {}
    )
    return [tuple(operator.name for operator in layer.operators) for layer in group_layers(operators, tensors, outputs)]


def test_vgg16_has_21_layers() -> None:
    types = operator_types(load_model(zoo.build("vgg16", 32, width=0.125)))
    pool, convolution = ["MaxPool"], ["Conv", "Relu"]
    blocks = [[convolution] * depth + [pool] for depth in (2, 2, 3, 3, 3)]
    head = [["Flatten", "Gemm", "Relu"], ["Gemm", "Relu"], ["Gemm"]]
    assert types == [layer for block in blocks for layer in block] + head


def test_residual_blocks() -> None:
    types = operator_types(load_model(zoo.build("resnet18", 32, width=0.125)))
    block = [["Conv", "Relu"], ["Conv"], ["Add", "Relu"]]
    assert types[:8] == [["Conv", "Relu"], ["MaxPool"], *block, *block]
    assert types[-2:] == [["GlobalAveragePool"], ["Flatten", "Gemm"]]


def test_elementwise_operators_ride_on_their_anchor() -> None:
    steps = [("Conv", ["x", "w"], "c"), ("Add", ["c", "k"], "a"), ("Relu", ["a"], "r"), ("Mul", ["k", "r"], "y")]
    assert _grouped(*steps) == [("c", "a", "r", "y")]


def test_nothing_rides_past_an_output_or_a_second_reader() -> None:
    steps = [("Conv", ["x", "w"], "c"), ("Relu", ["c"], "r"), ("Neg", ["r"], "y")]
    assert _grouped(*steps, outputs=["r", "y"]) == [("c", "r"), ("y",)]
    assert _grouped(*steps, ("MaxPool", ["r"], "z"), outputs=["y", "z"]) == [("c", "r"), ("y",), ("z",)]


def test_activations_made_of_several_operators_ride() -> None:
    assert _grouped(("Conv", ["x", "w"], "c"), ("Sigmoid", ["c"], "s"), ("Mul", ["c", "s"], "y")) == [("c", "s", "y")]
    gelu = [
        ("MatMul", ["x", "w"], "m"),
        ("Div", ["m", "k"], "d"),
        ("Erf", ["d"], "e"),
        ("Add", ["e", "k"], "a"),
        ("Mul", ["m", "a"], "p"),
        ("Mul", ["p", "k"], "y"),
    ]
    assert _grouped(*gelu) == [("m", "d", "e", "a", "p", "y")]


def test_a_region_that_leaves_two_tensors_does_not_ride() -> None:
    steps = [("Conv", ["x", "w"], "c"), ("Sigmoid", ["c"], "s"), ("Mul", ["c", "s"], "y"), ("MaxPool", ["s"], "z")]
    assert _grouped(*steps, outputs=["y", "z"]) == [("c",), ("s",), ("y",), ("z",)]


def test_the_sum_of_two_activations_is_an_anchor() -> None:
    steps = [("Conv", ["x", "w"], "a"), ("Conv", ["x", "w"], "b"), ("Add", ["a", "b"], "s"), ("Relu", ["s"], "y")]
    assert _grouped(*steps) == [("a",), ("b",), ("s", "y")]


def test_a_broadcast_that_changes_the_shape_is_an_anchor() -> None:
    steps = [("Conv", ["x", "w"], "c"), ("Add", ["c", "k"], "y")]
    assert _grouped(*steps, shapes={"y": (2, 4, 6, 6)}) == [("c",), ("y",)]


def test_views_ride_in_front_of_their_only_reader() -> None:
    steps = [
        ("Conv", ["x", "w"], "c"),
        ("Squeeze", ["c"], "v"),
        ("Reshape", ["v", "k"], "u"),
        ("Gemm", ["u", "w"], "y"),
    ]
    shapes = {"v": (4, 6, 6), "u": (4, 36), "y": (4, 36)}
    assert _grouped(*steps, shapes=shapes) == [("c",), ("v", "u", "y")]
    assert _grouped(*steps, outputs=["v", "y"], shapes=shapes) == [("c",), ("v",), ("u", "y")]
    assert _grouped(*steps, ("Neg", ["u"], "z"), outputs=["y", "z"], shapes=shapes) == [
        ("c",),
        ("v", "u"),
        ("y",),
        ("z",),
    ]


def test_several_views_ride_in_front_of_a_concat() -> None:
    steps = [("Flatten", ["x"], "f"), ("Conv", ["x", "w"], "c"), ("Flatten", ["c"], "g"), ("Concat", ["f", "g"], "y")]
    assert _grouped(*steps, shapes={"f": (1, 144), "g": (1, 144), "y": (2, 144)}) == [("c",), ("f", "g", "y")]


_BYTES = TensorType(shape=_SHAPE.shape, dtype="uint8")


def test_a_widening_cast_and_what_is_computed_of_it_ride_in_front() -> None:
    steps = [("Cast", ["x"], "c"), ("Sub", ["c", "k"], "s"), ("Mul", ["s", "k"], "m"), ("Conv", ["m", "w"], "y")]
    assert _grouped(*steps) == [("c", "s", "m"), ("y",)]  # x is as wide as c
    assert _grouped(*steps, types={"x": _BYTES}) == [("c", "s", "m", "y")]
    assert _grouped(*steps, outputs=["s", "y"], types={"x": _BYTES}) == [("c", "s"), ("m", "y")]
    assert _grouped(*steps, ("Neg", ["s"], "z"), outputs=["y", "z"], types={"x": _BYTES}) == [
        ("c", "s"),
        ("m", "y"),
        ("z",),
    ]


def test_a_widened_view_rides_in_front_too() -> None:
    steps = [("Cast", ["x"], "c"), ("Mul", ["c", "k"], "m"), ("Flatten", ["m"], "f"), ("Gemm", ["f", "w"], "y")]
    assert _grouped(*steps, types={"x": _BYTES}, shapes={"f": (1, 144), "y": (1, 8)}) == [("c", "m", "f", "y")]


def test_a_cast_behind_an_anchor_stays_there() -> None:
    steps = [("Greater", ["x", "k"], "g"), ("Cast", ["g"], "c"), ("Conv", ["c", "w"], "y")]
    assert _grouped(*steps, types={"g": _BYTES}) == [("g", "c"), ("y",)]


def test_of_a_cast_down_and_a_cast_up_each_stays_on_its_side() -> None:
    steps = [
        ("Conv", ["x", "w"], "c"),
        ("Relu", ["c"], "r"),
        ("Cast", ["r"], "h"),
        ("Cast", ["h"], "u"),
        ("Conv", ["u", "w"], "y"),
    ]
    assert _grouped(*steps, types={"h": _BYTES}) == [("c", "r", "h"), ("u", "y")]
    branch = [("Cast", ["h"], "v"), ("Add", ["y", "v"], "z")]
    assert _grouped(*steps, *branch, outputs=["z"], types={"h": _BYTES}) == [("c", "r", "h"), ("u", "y"), ("v", "z")]


def test_what_is_narrowed_again_is_a_layer() -> None:
    steps = [("Cast", ["x"], "u"), ("Neg", ["u"], "n"), ("Mul", ["n", "n"], "m"), ("Cast", ["m"], "h")]
    assert _grouped(*steps, ("Conv", ["h", "w"], "y"), types={"x": _BYTES, "h": _BYTES}) == [
        ("u", "n", "m", "h"),
        ("y",),
    ]
    restored = [("Cast", ["h"], "v"), ("Conv", ["v", "w"], "y")]
    assert _grouped(*steps, *restored, types={"x": _BYTES, "h": _BYTES}) == [("u", "n", "m", "h"), ("v", "y")]


def test_a_cast_inside_an_activation_does_not_end_it() -> None:
    steps = [("Conv", ["x", "w"], "c"), ("Greater", ["c", "k"], "g"), ("Cast", ["g"], "f"), ("Mul", ["c", "f"], "y")]
    assert _grouped(*steps, types={"g": _BYTES}) == [("c", "g", "f", "y")]


def test_a_last_view_is_a_layer() -> None:
    assert _grouped(("Conv", ["x", "w"], "c"), ("Flatten", ["c"], "y"), shapes={"y": (1, 144)}) == [("c",), ("y",)]


def test_layers_say_what_they_read_and_leave() -> None:
    operators = [
        Operator(name="top", op_type="TopK", inputs=("x", "k"), outputs=("values", "at")),
        Operator(name="relu", op_type="Relu", inputs=("values",), outputs=("y",)),
        Operator(name="cast", op_type="Cast", inputs=("at",), outputs=("z",)),
        Operator(name="mul", op_type="Mul", inputs=("y", "x"), outputs=("m",)),
    ]
    tensors = dict.fromkeys(("x", "values", "at", "y", "z", "m"), _SHAPE)
    layers = group_layers(operators, tensors, ["m", "z"])
    assert [(layer.name, layer.inputs, layer.outputs) for layer in layers] == [
        ("top", ("x",), ("values", "at")),
        ("relu", ("values",), ("y",)),
        ("cast", ("at",), ("z",)),
        ("mul", ("y", "x"), ("m",)),
    ]


_KINDS = ("Conv", "Relu", "Sigmoid", "Add", "Concat", "Flatten", "Mul", "Cast")


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.sampled_from(_KINDS), st.lists(st.integers(0, 99), min_size=1, max_size=2)),
        min_size=1,
        max_size=14,
    )
)
def test_layers_partition_any_graph_in_topological_order(steps: list[tuple[str, list[int]]]) -> None:
    names = ["x"]
    types = {"x": True}  # whether it is narrow; a Cast changes that, and nothing else does
    operators: list[Operator] = []
    for kind, picks in steps:
        inputs = tuple(names[pick % len(names)] for pick in picks)
        types[f"t{len(names)}"] = types[inputs[0]] != (kind == "Cast")
        operators.append(
            Operator(name=f"t{len(names)}", op_type=kind, inputs=(*inputs, "k"), outputs=(f"t{len(names)}",))
        )
        names.append(f"t{len(names)}")
    read = {name for operator in operators for name in operator.inputs}
    outputs = [name for name in names[1:] if name not in read]
    layers = group_layers(operators, {name: _BYTES if narrow else _SHAPE for name, narrow in types.items()}, outputs)
    assert sorted(operator.name for layer in layers for operator in layer.operators) == sorted(names[1:])
    _assert_topological(layers, outputs)


def _assert_topological(layers: Sequence[Layer], outputs: Sequence[str]) -> None:
    there = {"x"}
    for layer in layers:
        assert there.issuperset(layer.inputs)
        inside = set(layer.inputs)
        for operator in layer.operators:
            assert inside.issuperset(set(operator.inputs) - {"k"})
            inside.update(operator.outputs)
        assert len(layer.outputs) == 1
        there.update(layer.outputs)
    assert there.issuperset(outputs)
