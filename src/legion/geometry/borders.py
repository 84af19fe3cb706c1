"""Padding at true borders, moved from an operator into the buffer that it reads."""

from dataclasses import replace

import numpy as np

from legion.geometry.box import Box
from legion.model.model import Operator

ROWS = 2
"""The axis along which tiles of one layer are to share a graph."""

FILLS = {"Conv": 0.0, "MaxPool": -np.inf}
"""What the operators whose padding can be moved pad with."""

Padding = tuple[tuple[int, int], ...]


def movable(operator: Operator, dtype: str, box: Box, shape: tuple[int, ...]) -> bool:
    """Whether an operator that yields `box` of a tensor of `shape` takes its row padding from the buffer.

    Only a proper tile of the rows does: the whole is run on the input as it is, without a copy.
    """
    return (
        operator.op_type in FILLS
        and np.dtype(dtype).kind == "f"
        and len(shape) > ROWS + 1
        and box.intervals[ROWS] != (0, shape[ROWS])
    )


def move_row_padding(operator: Operator) -> tuple[Operator, Padding]:
    """The local operator without padding on its rows, and the padding that its input's buffer needs."""
    pads = operator.attributes["pads"]
    assert isinstance(pads, tuple)  # noqa: S101 - rules write it so
    spatial = len(pads) // 2
    before, after = int(pads[0]), int(pads[spatial])
    unpadded = (0, *pads[1:spatial], 0, *pads[spatial + 1 :])
    padding = ((0, 0), (0, 0), (before, after), *(((0, 0),) * (spatial - 1)))
    attributes = {**operator.attributes, "pads": unpadded}
    return replace(operator, attributes=attributes), padding if before or after else ()
