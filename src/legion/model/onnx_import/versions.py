"""Brings models of older operator sets to the one that Legion's rules are written for."""

import onnx
from onnx import version_converter

from legion.errors import InputError

_LOWEST_OPSET = 7
_TARGET_OPSET = 18
_IR_VERSION = 10


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the default domain's operators."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions:
        raise InputError("the model does not say which operator set it uses; export it again")
    return versions[0]


def convert_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in opset 18, or as it is where it is newer.

    Raises InputError below opset 7, and where an operator has no counterpart in opset 18.
    """
    opset = opset_of(model)
    if opset < _LOWEST_OPSET:
        raise InputError(f"the model uses opset {opset}; export it with opset {_LOWEST_OPSET} or newer")
    model.ir_version = max(model.ir_version, _IR_VERSION)
    if opset >= _TARGET_OPSET:
        return model
    try:
        return version_converter.convert_version(model, _TARGET_OPSET)
    except (RuntimeError, ValueError) as exc:
        raise InputError(
            f"cannot bring the model from opset {opset} to {_TARGET_OPSET}: {exc}; export it with a newer opset"
        ) from exc
