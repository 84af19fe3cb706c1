"""Small models of one operator per layer, ONNX Runtime as the oracle, and checks that all operators share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from hypothesis import assume, reject
from hypothesis import strategies as st
from onnx import helper
from onnxruntime.capi import onnxruntime_pybind11_state as refused

from legion.geometry.box import Box
from legion.geometry.build import build_segment
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.geometry.local_graph import LocalGraph
from legion.geometry.localize import Localized, localize
from legion.geometry.operators.rule import Demanded
from legion.geometry.segment import Segment
from legion.model.model import Layer, Model, Operator, Port, TensorType

OPSET = 21
REFUSALS = (
    refused.Fail,
    refused.InvalidArgument,
    refused.InvalidGraph,
    refused.RuntimeException,
    refused.NotImplemented,
)
Arrays = Mapping[str, np.ndarray]


@dataclass
class Node:
    op_type: str
    inputs: Sequence[str]
    output: str | Sequence[str]
    attributes: Mapping[str, object]

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.output,) if isinstance(self.output, str) else tuple(self.output)


def node(op_type: str, inputs: Sequence[str], output: str | Sequence[str], **attributes: object) -> Node:
    return Node(op_type, tuple(inputs), output, attributes)


def make_model(nodes: Sequence[Node], inputs: Arrays, constants: Arrays, *, opset: int = OPSET) -> Model:
    """A model of one operator per layer; outputs are the tensors that nobody reads.

    Types come from running the nodes once on `inputs`.
    """
    operators = [
        Operator(
            name=f"op{index}_{item.op_type}",
            op_type=item.op_type,
            inputs=tuple(item.inputs),
            outputs=item.outputs,
            attributes={
                key: tuple(value) if isinstance(value, list) else value for key, value in item.attributes.items()
            },
        )
        for index, item in enumerate(nodes)
    ]
    produced = [name for operator in operators for name in operator.outputs if name]
    values = dict(inputs) | run_operators(operators, inputs, constants, produced, opset)
    tensors = {name: TensorType(shape=value.shape, dtype=value.dtype.name) for name, value in values.items()}
    read = {name for operator in operators for name in operator.inputs}
    return Model(
        name="test",
        opset=opset,
        layers=tuple(
            Layer(
                name=operator.name,
                operators=(operator,),
                inputs=tuple(dict.fromkeys(name for name in operator.inputs if name and name not in constants)),
                outputs=tuple(name for name in operator.outputs if name),
            )
            for operator in operators
        ),
        tensors=tensors,
        constants=dict(constants),
        inputs=tuple(Port(name=name, type=tensors[name], dims=tensors[name].shape) for name in inputs),
        outputs=tuple(
            Port(name=name, type=tensors[name], dims=tensors[name].shape) for name in produced if name not in read
        ),
        digest="",
    )


def make_session(
    operators: Sequence[Operator],
    inputs: Mapping[str, tuple[str, Sequence[int | None] | None]],
    constants: Arrays,
    outputs: Sequence[str],
    opset: int,
) -> onnxruntime.InferenceSession:
    nodes = [
        helper.make_node(item.op_type, list(item.inputs), list(item.outputs), name=item.name, **dict(item.attributes))
        for item in operators
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
            for name, (dtype, shape) in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_operators(
    operators: Sequence[Operator], inputs: Arrays, constants: Arrays, outputs: Sequence[str], opset: int
) -> dict[str, np.ndarray]:
    described = {name: (value.dtype.name, value.shape) for name, value in inputs.items()}
    session = make_session(operators, described, constants, outputs, opset)
    return dict(zip(outputs, session.run(list(outputs), dict(inputs)), strict=True))


def run_whole(model: Model, inputs: Arrays) -> dict[str, np.ndarray]:
    """Every tensor of the model, inputs included."""
    operators = [operator for layer in model.layers for operator in layer.operators]
    produced = [name for operator in operators for name in operator.outputs if name]
    return dict(inputs) | run_operators(operators, inputs, model.constants, produced, model.opset)


def fill_buffers(localized: Localized, tensors: Arrays) -> dict[str, np.ndarray]:
    """What a node would hand to the local graph: exactly the demanded boxes, padded as said."""
    feeds = {}
    for described, buffer in zip(localized.graph.inputs, localized.buffers, strict=True):
        tensor = tensors[buffer.tensor]
        if buffer.dynamic:
            feeds[described.name] = tensor
            continue
        piece = tensor[tuple(slice(low, high) for low, high in buffer.box.intervals)]
        if buffer.padding:
            piece = np.pad(piece, buffer.padding, constant_values=buffer.fill)
        assert piece.shape == buffer.shape
        feeds[described.name] = np.asarray(piece)
    return feeds


def graph_session(graph: LocalGraph, pool: ConstantPool) -> onnxruntime.InferenceSession:
    """A session of a local graph; checks that names are unique and constants as declared."""
    names = [operator.name for operator in graph.operators]
    assert len(set(names)) == len(names)
    constants = {}
    for constant in graph.constants:
        assert constant.digest is not None
        value = pool.arrays[constant.digest]
        assert (value.shape, value.dtype.name) == (constant.shape, constant.dtype)
        constants[constant.name] = value
    inputs = {item.name: (item.dtype, item.dims) for item in graph.inputs}
    return make_session(graph.operators, inputs, constants, graph.outputs, graph.opset)


def run_segment(model: Model, segment: Segment, tensors: Arrays) -> dict[str, np.ndarray]:
    """The boxes of the segment's outputs, computed from its demanded inputs alone."""
    pool = ConstantPool(model)
    localized = localize(model, segment, pool)
    session = graph_session(localized.graph, pool)
    values = session.run(list(localized.graph.outputs), fill_buffers(localized, tensors))
    results = {}
    for (name, box), value in zip(localized.outputs, values, strict=True):
        assert value.shape == box.shape
        results[name] = value
    return results


def random_array(shape: Sequence[int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(tuple(shape)).astype(np.float32)


def model_or_reject(nodes: Sequence[Node], inputs: Arrays, constants: Arrays, *, opset: int = OPSET) -> Model:
    """As `make_model`; parameters that the engine refuses are no example."""
    try:
        model = make_model(nodes, inputs, constants, opset=opset)
    except REFUSALS:
        reject()
    assume(all(min(tensor.shape, default=1) > 0 for tensor in model.tensors.values()))
    return model


def box_strategy(shape: Sequence[int]) -> st.SearchStrategy[Box]:
    """Any box of at least one element in a tensor of this shape; often whole along an axis."""

    def interval(extent: int) -> st.SearchStrategy[tuple[int, int]]:
        part = st.integers(0, extent - 1).flatmap(
            lambda low: st.integers(low + 1, extent).map(lambda high: (low, high))
        )
        return part | st.just((0, extent))

    return st.tuples(*(interval(extent) for extent in shape)).map(Box)


def slice_of(array: np.ndarray, box: Box) -> np.ndarray:
    return array[tuple(slice(low, high) for low, high in box.intervals)]


def assert_close(actual: np.ndarray, expected: np.ndarray, whole: np.ndarray, tolerance: float = 1e-6) -> None:
    """Equal, or within the tolerance relative to the largest value of the whole tensor."""
    assert actual.dtype == expected.dtype
    if actual.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected)
        return
    finite = whole[np.isfinite(whole)]
    scale = float(np.max(np.abs(finite), initial=1e-30))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


def check_local(
    model: Model, inputs: Arrays, boxes: Mapping[str, Box], *, whole: Arrays | None = None, tolerance: float = 1e-6
) -> None:
    """The segment of all layers that yields these boxes equals the slices of the whole model's tensors."""
    segment = build_segment(Demand(model), range(len(model.layers)), boxes)
    for name, box in segment.inputs.items():
        assert not box.empty
        assert Box.whole(model.tensors[name].shape).contains(box)
    tensors = run_whole(model, inputs) if whole is None else whole
    for name, value in run_segment(model, segment, tensors).items():
        assert segment.outputs[name].contains(boxes[name])
        assert_close(value, slice_of(tensors[name], segment.outputs[name]), tensors[name], tolerance)


def check_operator(
    data: st.DataObject, model: Model, inputs: Arrays, *, boxes: int = 3, tolerance: float = 1e-6
) -> None:
    """`local` on random boxes of the only output equals the slice of the whole."""
    whole = run_whole(model, inputs)
    name = model.outputs[0].name
    for _ in range(boxes):
        box = data.draw(box_strategy(model.tensors[name].shape))
        check_local(model, inputs, {name: box}, whole=whole, tolerance=tolerance)


def check_demand(
    data: st.DataObject,
    model: Model,
    inputs: Arrays,
    *,
    exact: bool = True,
    step: float = 1000.0,
    names: Sequence[str] = (),
) -> None:
    """Demand contains brute-force influence on a random box of the only output, and equals its hull if `exact`.

    `names` are the inputs and constants to vary (all inputs by default), read by a model of one operator.
    """
    operator = model.layers[0].operators[0]
    output = model.tensors[model.outputs[0].name].shape
    boxes = data.draw(st.lists(box_strategy(output), min_size=4, max_size=4))
    for name in names or tuple(inputs):
        moved = influence(model, inputs, name, step)
        shape = model.constants[name].shape if name in model.constants else model.tensors[name].shape
        for box in boxes:
            demanded = operator_demand(model, operator, box)[operator.inputs.index(name)]
            hull = influence_hull(moved, shape, box)
            if demanded is None:
                assert hull is None
                continue
            assert not demanded.empty
            assert Box.whole(shape).contains(demanded)
            if hull is None:
                continue  # a window wholly in the padding: demand is never empty
            if exact:
                assert demanded == hull
            else:
                assert demanded.contains(hull)


def operator_demand(model: Model, operator: Operator, output_box: Box) -> Demanded:
    """What an operator needs of each of its inputs, constants included, to yield the output box."""
    return Demand(model).rule(operator).demand(output_box)


def influence(model: Model, inputs: Arrays, name: str, step: float = 1000.0) -> np.ndarray:
    """Which elements of the only output move with each element of an input, or of a constant.

    Boolean, of shape (elements of the input, *shape of the output).
    """
    operators = [operator for layer in model.layers for operator in layer.operators]
    varied = dict(inputs) | ({name: model.constants[name]} if name in model.constants else {})
    fixed = {key: value for key, value in model.constants.items() if key not in varied}
    output = model.outputs[0].name
    described = {key: (value.dtype.name, value.shape) for key, value in varied.items()}
    session = make_session(operators, described, fixed, [output], model.opset)
    base = session.run([output], varied)[0]
    moved = np.zeros((varied[name].size, *base.shape), bool)
    for index in range(varied[name].size):
        changed = varied[name].copy()
        changed.reshape(-1)[index] += np.asarray(step).astype(changed.dtype)
        moved[index] = ~np.isclose(session.run([output], {**varied, name: changed})[0], base, atol=1e-4)
    return moved


def influence_hull(moved: np.ndarray, shape: Sequence[int], box: Box) -> Box | None:
    """The smallest box of input elements that the output box depends on."""
    touched = np.flatnonzero(slice_of(np.moveaxis(moved, 0, -1), box).reshape(-1, moved.shape[0]).any(axis=0))
    if touched.size == 0:
        return None
    coordinates = np.unravel_index(touched, shape) if shape else ()
    return Box(tuple((int(axis.min()), int(axis.max()) + 1) for axis in coordinates))
