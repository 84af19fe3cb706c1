"""Brings models of older operator sets to the one that Legion's rules are written for."""

import numpy as np
import onnx
from onnx import defs, helper, shape_inference, version_converter

from legion.errors import InputError
from legion.model.onnx_import.editing import nodes_of
from legion.model.onnx_import.graph import Graph

_LOWEST_OPSET = 7
_TARGET_OPSET = 18
_FIRST_OPSET_WITH_SAMPLING_MODES = 11
_FIRST_OPSET_OF_ONE_AXIS_HARDMAX = 13
_IR_VERSION = 10


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the default domain's operators."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions:
        raise InputError("the model does not say which operator set it uses; export it again")
    return versions[0]


def supported_opset(model: onnx.ModelProto) -> int:
    """As `opset_of`. Raises InputError below opset 7, and above what the onnx package knows."""
    opset = opset_of(model)
    if opset < _LOWEST_OPSET:
        raise InputError(f"the model uses opset {opset}; export it with opset {_LOWEST_OPSET} or newer")
    if opset > defs.onnx_opset_version():
        raise InputError(f"the model uses opset {opset}, newer than the onnx package installed here; upgrade that")
    return opset


def convert_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in opset 18, or as it is where it is newer.

    Raises InputError as `supported_opset` does, and where an operator has no counterpart in opset 18.
    """
    opset = supported_opset(model)
    model.ir_version = max(model.ir_version, _IR_VERSION)
    if opset >= _TARGET_OPSET:
        return model
    if opset < _FIRST_OPSET_OF_ONE_AXIS_HARDMAX and any(node.op_type == "Hardmax" for node in nodes_of(model.graph)):
        raise InputError(
            f"Hardmax of opset {opset} has no counterpart in opset {_TARGET_OPSET}; export with a newer opset"
        )
    try:
        return version_converter.convert_version(model, _TARGET_OPSET)
    except (RuntimeError, ValueError, shape_inference.InferenceError, version_converter.ConvertError) as exc:
        raise InputError(
            f"cannot bring the model from opset {opset} to {_TARGET_OPSET}: {exc}; export it with a newer opset"
        ) from exc


def keep_old_sampling(graph: Graph, opset: int) -> None:
    """Say how Upsample, and Resize before opset 11, sample; the converter leaves it to the new default.

    They took pixel `i / scale`; which neighbour was nearest, ONNX left open, so ONNX Runtime's choice holds: for each
    axis by whether it grows. Raises InputError where one grows and another shrinks, which a newer Resize cannot say.
    """
    if opset >= _FIRST_OPSET_WITH_SAMPLING_MODES:
        return
    for node in graph.nodes:
        if node.op_type == "Resize":
            scales = graph.constants.get(node.input[2])
            nearest = "floor" if scales is None or (scales >= 1).all() else "ceil"
            if scales is not None and np.any(scales > 1) and np.any(scales < 1) and _is_nearest(node):
                raise InputError(
                    f"{node.name or node.output[0]!r} (Resize of opset {opset}) enlarges one axis and shrinks another; "
                    "export with a newer opset"
                )
            node.attribute.append(helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
            node.attribute.append(helper.make_attribute("nearest_mode", nearest))


def _is_nearest(node: onnx.NodeProto) -> bool:
    return all(attribute.s == b"nearest" for attribute in node.attribute if attribute.name == "mode")
