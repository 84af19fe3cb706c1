"""Writes one network as an ONNX graph, operator by operator, with seeded weights."""

from collections import Counter
from collections.abc import Sequence
from math import prod, sqrt

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from legion.model.model import Array

OPSET = 20
"""The opset of every written network; ONNX Runtime knows it since 1.17."""

_IR_VERSION = 10
_RELU_GAIN = sqrt(2.0)
_CHANNEL_BLOCK = 8


class Network:
    """A network under construction: each method appends one operator and returns its output's name.

    `width` scales the channels of hidden layers. Weights are normal, scaled by the fan-in (He et al. 2015),
    and batch normalisations stay near the identity, so activations keep their size from layer to layer.
    """

    def __init__(self, *, name: str, size: int, width: float, seed: int) -> None:
        self.name = name
        self._width = width
        self._generator = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._counts: Counter[str] = Counter()
        self._shapes: dict[str, tuple[int, ...]] = {"input": (1, 3, size, size)}

    def shape(self, tensor: str) -> tuple[int, ...]:
        return self._shapes[tensor]

    def hidden(self, channels: int) -> int:
        """Published channels of a hidden layer, scaled by the width to a multiple of 8."""
        if self._width == 1.0:
            return channels
        return max(_CHANNEL_BLOCK, round(channels * self._width / _CHANNEL_BLOCK) * _CHANNEL_BLOCK)

    def convolution(  # noqa: PLR0913 - these are the hyper-parameters of a convolution
        self,
        tensor: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
        gain: float = _RELU_GAIN,
    ) -> str:
        """A square convolution, padded so that stride 1 keeps the size."""
        name = self._operator_name("conv")
        shape = (channels, self._shapes[tensor][1] // groups, kernel, kernel)
        inputs = [tensor, self._weights(f"{name}.weight", shape, gain)]
        if bias:
            inputs.append(self._near_zero(f"{name}.bias", channels))
        return self._append(
            name,
            "Conv",
            inputs,
            (1, channels, *self._window_extents(tensor, kernel, stride, kernel // 2)),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
            group=groups,
        )

    def batch_normalization(self, tensor: str, *, gain: float = 1.0) -> str:
        """Scale around `gain`, variance around one, shift and mean around zero."""
        channels = self._shapes[tensor][1]
        name = self._operator_name("norm")
        inputs = [
            tensor,
            self._near_one(f"{name}.scale", channels, gain),
            self._near_zero(f"{name}.shift", channels),
            self._near_zero(f"{name}.mean", channels),
            self._near_one(f"{name}.variance", channels),
        ]
        return self._append(name, "BatchNormalization", inputs, self._shapes[tensor], epsilon=1e-5)

    def gemm(self, tensor: str, features: int, *, gain: float = _RELU_GAIN) -> str:
        """A fully connected layer with bias; its weights are stored as (out, in)."""
        name = self._operator_name("gemm")
        weight = self._weights(f"{name}.weight", (features, self._shapes[tensor][1]), gain)
        bias = self._near_zero(f"{name}.bias", features)
        return self._append(name, "Gemm", [tensor, weight, bias], (1, features), transB=1)

    def relu(self, tensor: str) -> str:
        return self._append(self._operator_name("relu"), "Relu", [tensor], self._shapes[tensor])

    def leaky_relu(self, tensor: str, slope: float) -> str:
        return self._append(self._operator_name("leaky"), "LeakyRelu", [tensor], self._shapes[tensor], alpha=slope)

    def relu6(self, tensor: str) -> str:
        """Clip to 0..6."""
        name = self._operator_name("clip")
        limits = [
            self._constant(f"{name}.{end}", np.array(value, np.float32)) for end, value in (("low", 0.0), ("high", 6.0))
        ]
        return self._append(name, "Clip", [tensor, *limits], self._shapes[tensor])

    def max_pool(self, tensor: str, kernel: int, stride: int, *, padding: int = 0) -> str:
        return self._append(
            self._operator_name("pool"),
            "MaxPool",
            [tensor],
            (1, self._shapes[tensor][1], *self._window_extents(tensor, kernel, stride, padding)),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[padding] * 4,
        )

    def global_average_pool(self, tensor: str) -> str:
        channels = self._shapes[tensor][1]
        return self._append(self._operator_name("average"), "GlobalAveragePool", [tensor], (1, channels, 1, 1))

    def flatten(self, tensor: str) -> str:
        return self._append(
            self._operator_name("flatten"), "Flatten", [tensor], (1, prod(self._shapes[tensor])), axis=1
        )

    def space_to_depth(self, tensor: str, block: int) -> str:
        _, channels, rows, columns = self._shapes[tensor]
        shape = (1, channels * block * block, rows // block, columns // block)
        return self._append(self._operator_name("reorg"), "SpaceToDepth", [tensor], shape, blocksize=block)

    def concat(self, tensors: Sequence[str]) -> str:
        channels = sum(self._shapes[tensor][1] for tensor in tensors)
        shape = (1, channels, *self._shapes[tensors[0]][2:])
        return self._append(self._operator_name("concat"), "Concat", list(tensors), shape, axis=1)

    def add(self, left: str, right: str) -> str:
        return self._append(self._operator_name("add"), "Add", [left, right], self._shapes[left])

    def finish(self, tensor: str) -> onnx.ModelProto:
        """The network as a file, with the last operator's output `tensor` as its output, named "output"."""
        self._nodes[-1].output[0] = "output"
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, self._shapes["input"])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, self._shapes[tensor])],
            self._initializers,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, ir_version=_IR_VERSION, opset_imports=opsets, producer_name="legion")

    def _append(
        self,
        name: str,
        op_type: str,
        inputs: list[str],
        shape: tuple[int, ...],
        **attributes: int | float | list[int],
    ) -> str:
        node = helper.make_node(op_type, inputs, [name], name=name)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        self._shapes[name] = shape
        return name

    def _operator_name(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}{self._counts[kind]}"

    def _window_extents(self, tensor: str, kernel: int, stride: int, padding: int) -> tuple[int, ...]:
        return tuple((extent + 2 * padding - kernel) // stride + 1 for extent in self._shapes[tensor][2:])

    def _weights(self, name: str, shape: tuple[int, ...], gain: float) -> str:
        values = self._generator.standard_normal(shape, dtype=np.float32)
        values *= np.float32(gain / sqrt(prod(shape[1:])))
        return self._constant(name, values)

    def _near_zero(self, name: str, length: int) -> str:
        return self._constant(name, self._generator.uniform(-0.1, 0.1, length).astype(np.float32))

    def _near_one(self, name: str, length: int, gain: float = 1.0) -> str:
        return self._constant(name, (gain * self._generator.uniform(0.8, 1.2, length)).astype(np.float32))

    def _constant(self, name: str, values: Array) -> str:
        self._initializers.append(numpy_helper.from_array(values, name))
        return name
