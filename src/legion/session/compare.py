"""The distance of an answer from that of ONNX Runtime on the whole model, in this process."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from legion.engine.whole_model import WholeModel
from legion.model.model import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Over all outputs: the largest absolute difference, and the largest relative to its output's largest value."""

    max_absolute: float
    max_relative: float


def compare_with_whole(
    model: str | Path | bytes, feeds: Mapping[str, Array], outputs: Mapping[str, Array]
) -> Comparison:
    """Run the file as it is with ONNX Runtime, and compare `outputs` with its outputs of the same names."""
    return compare(outputs, WholeModel(model).run(feeds))


def compare(outputs: Mapping[str, Array], expected: Mapping[str, Array]) -> Comparison:
    """The largest differences of `outputs` from the outputs of the same names; infinite where shapes differ."""
    absolute = relative = 0.0
    for name, output in outputs.items():
        difference, scale = _distance(output, expected[name])
        absolute = max(absolute, difference)
        relative = max(relative, difference / scale if scale else difference)
    return Comparison(max_absolute=absolute, max_relative=relative)


def _distance(output: Array, expected: Array) -> tuple[float, float]:
    """The largest difference, and the largest absolute value that is expected."""
    if output.shape != expected.shape:
        return float("inf"), 1.0
    if not expected.size or np.array_equal(output, expected, equal_nan=expected.dtype.kind == "f"):
        return 0.0, 1.0
    there, here = expected.astype(np.float64), output.astype(np.float64)
    difference = float(np.max(np.abs(there - here)))
    return (difference if np.isfinite(difference) else float("inf")), float(np.max(np.abs(there)))
