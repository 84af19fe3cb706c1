"""The network after import: typed tensors, operators, and the layers that are profiled and placed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
AttributeValue = int | float | str | tuple[int | float | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorType:
    """Shape and NumPy dtype name of a tensor.

    `dynamic` marks a tensor whose shape depends on data: it stays whole on one node, and `shape`
    holds 1 for every extent that is unknown (or is empty where even the rank is).
    """

    shape: tuple[int, ...]
    dtype: str
    dynamic: bool = False

    @property
    def size_bytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One ONNX operator of the default domain; an omitted optional input is the empty string.

    Attributes that carry tensors or graphs do not occur: import folds or refuses them.
    """

    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict[str, AttributeValue])


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An anchor operator with the elementwise and view operators that ride on it, in running order.

    `inputs` are the distinct activations that it reads (constants not counted), `outputs` the
    tensors that others or the caller read: one that may be split, or several that stay whole.
    """

    name: str
    operators: tuple[Operator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output as the model file declares it, in the caller's dtype.

    `dims` are the extents as declared: a symbol's name where the file has one, None where it has neither.
    """

    name: str
    type: TensorType
    dims: tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An imported network.

    `layers` are in topological order. `tensors` types every activation, those inside layers too.
    `constants` hold weights and parameters by name. All operators follow `opset` of the default
    ONNX domain. `digest` names the content: graph and weights.
    """

    name: str
    opset: int
    layers: tuple[Layer, ...]
    tensors: Mapping[str, TensorType]
    constants: Mapping[str, Array]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    digest: str
