"""Reads ONNX models: what a file means, made of typed data and nothing else."""

from legion.model.onnx_import.half_messages import halve_messages
from legion.model.onnx_import.load import Source, load_model
from legion.model.onnx_import.prepare import prepare_model

__all__ = ["Source", "halve_messages", "load_model", "prepare_model"]
