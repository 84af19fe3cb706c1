"""From a file or bytes to a model that the ONNX checker accepts, with its weights taken out."""

from math import prod
from os import PathLike
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import checker, external_data_helper, helper, inliner, numpy_helper

from legion.errors import InputError
from legion.model.model import Array

Source = str | PathLike[str] | bytes | onnx.ModelProto
"""The path of an ONNX file, its bytes, or the model itself."""

_LARGEST_PARAMETER = 1024
"""Constants of more elements than this are weights: no rule of ONNX depends on their values."""


def parse(source: Source) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """A checked model without functions, and the values of all its initializers.

    The model keeps its small initializers; weights are turned into inputs, so that checker, converter
    and shape inference handle kilobytes, whatever the size of the file. The source stays as it was.

    Raises InputError when the source is missing, no ONNX, truncated, lacks external data, or is refused
    by the checker.
    """
    original = read(source)
    if not original.HasField("graph") or not original.opset_import:
        raise InputError(f"{_described(source)} is not an ONNX model; export the network to ONNX first")
    if original.graph.sparse_initializer:
        raise InputError(f"{_described(source)} has sparse weights; export it with dense ones")
    weights = {tensor.name: _values(tensor) for tensor in original.graph.initializer}
    try:
        model = _without_weights(original)
        checker.check_model(model)  # pyright: ignore[reportUnknownMemberType] - a partial stub
        if model.functions:
            model = inliner.inline_local_functions(model)
    except (checker.ValidationError, RuntimeError, ValueError) as exc:
        raise InputError(f"{_described(source)} is not valid ONNX: {_first_line(exc)}; export it again") from exc
    parameters = {tensor.name for tensor in model.graph.initializer}
    inputs = [port for port in model.graph.input if port.name not in parameters]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model, weights


def read(source: Source) -> onnx.ModelProto:
    """The model as the file has it, with values that it keeps in other files. InputError if it cannot be read."""
    if isinstance(source, onnx.ModelProto):
        return source
    if isinstance(source, bytes):
        return _decode(source, source)
    path = Path(source)
    try:
        model = _decode(path.read_bytes(), source)
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror}; check the path") from exc
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, checker.ValidationError) as exc:
        raise InputError(
            f"{path} keeps weights in another file that cannot be read: {_first_line(exc)}; put it beside the model"
        ) from exc
    return model


def _decode(content: bytes, source: Source) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as exc:
        raise InputError(
            f"{_described(source)} is not an ONNX model, or is truncated; export or copy it again"
        ) from exc
    return model


def _described(source: Source) -> str:
    return "what was given" if isinstance(source, bytes | onnx.ModelProto) else str(source)


def _values(tensor: onnx.TensorProto) -> Array:
    if external_data_helper.uses_external_data(tensor):
        raise InputError(
            f"the values of {tensor.name!r} are in another file; give the path of the model, not its bytes"
        )
    try:
        return numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError) as exc:
        raise InputError(
            f"the values of {tensor.name!r} do not fit its declared shape; export the model again"
        ) from exc


def _without_weights(original: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose large initializers are inputs."""
    model = onnx.ModelProto(
        ir_version=original.ir_version,
        opset_import=original.opset_import,
        functions=original.functions,
        graph=onnx.GraphProto(
            name=original.graph.name or "model",
            node=original.graph.node,
            input=original.graph.input,
            output=original.graph.output,
            initializer=(tensor for tensor in original.graph.initializer if not _is_weight(tensor)),
        ),
    )
    declared = {port.name for port in original.graph.input}
    model.graph.input.extend(
        _as_input(tensor) for tensor in original.graph.initializer if _is_weight(tensor) and tensor.name not in declared
    )
    return model


def _is_weight(tensor: onnx.TensorProto) -> bool:
    return prod(tensor.dims) > _LARGEST_PARAMETER


def _as_input(tensor: onnx.TensorProto) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
