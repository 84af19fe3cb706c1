"""Small networks whose geometry can be worked out by hand."""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from legion.model.onnx_import.load import load_model

ROWS = 40
CHAIN = (
    ("conv", 3, 1, 1),
    ("pool", 2, 2, 0),
    ("conv", 5, 1, 2),
    ("conv", 3, 2, 1),
    ("pool", 3, 2, 1),
    ("conv", 3, 1, 1),
)
"""Kernel, stride and padding of each layer."""
CHANNELS = 4


def loaded(nodes, outputs, initializers=(), shape=(1, CHANNELS, ROWS, ROWS)):
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, CHANNELS, "rows", "columns")) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in initializers],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    checker.check_model(proto)
    return load_model(proto.SerializeToString())


def convolution(source, name, kernel=3, stride=1, padding=1):
    node = helper.make_node("Conv", [source, f"{name}_w"], [name], strides=[stride] * 2, pads=[padding] * 4)
    weights = np.random.default_rng(0).normal(size=(CHANNELS, CHANNELS, kernel, kernel)).astype(np.float32)
    return node, (f"{name}_w", weights)


def chain_model():
    nodes, initializers, source = [], [], "x"
    for index, (kind, kernel, stride, padding) in enumerate(CHAIN):
        name = f"t{index}"
        if kind == "conv":
            node, weights = convolution(source, name, kernel, stride, padding)
            initializers.append(weights)
        else:
            node = helper.make_node(
                "MaxPool", [source], [name], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4
            )
        nodes.append(node)
        source = name
    return loaded(nodes, [source], initializers)


def residual_model():
    """Two branches from the input, a -> b and c, added up and convolved to d; outputs d and a."""
    parts = [convolution("x", "a"), convolution("a", "b", kernel=5, padding=2), convolution("x", "c", 1, 1, 0)]
    last = convolution("add", "d")
    nodes = [*(node for node, _ in parts), helper.make_node("Add", ["b", "c"], ["add"]), last[0]]
    return loaded(nodes, ["d", "a"], [*(weights for _, weights in parts), last[1]])


def whole_model():
    """Two convolutions, and between them an operator without a rule, of which every device computes all."""
    before, after = convolution("x", "a"), convolution("b", "c")
    between = helper.make_node("Einsum", ["a"], ["b"], equation="nchw->nchw")
    return loaded([before[0], between, after[0]], ["c"], [before[1], after[1]])


def apart_model():
    """A trunk a, and two branches, b -> c -> pc and e -> pe, that meet only in the last layer, which stays whole."""
    first, second = convolution("x", "a"), convolution("a", "b")
    third, fourth = convolution("b", "c"), convolution("a", "e")
    nodes = [
        first[0],
        second[0],
        third[0],
        fourth[0],
        helper.make_node("GlobalAveragePool", ["c"], ["pc"]),
        helper.make_node("GlobalAveragePool", ["e"], ["pe"]),
        helper.make_node("Add", ["pc", "pe"], ["sum"]),
    ]
    return loaded(nodes, ["sum"], [part[1] for part in (first, second, third, fourth)])
