"""What one Run executes: some layers, on given boxes, with no communication inside."""

from collections.abc import Mapping
from dataclasses import dataclass

from legion.geometry.box import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Layers (indices into `model.layers`, ascending) and the boxes they are run on.

    `inputs`: activations from outside and the boxes demanded of them, clamped to the tensor.
    `outputs`: tensors read outside and the boxes that the run yields of them.
    `boxes`: for each layer output, inner ones too, the box that is computed (what cost is paid for).
    """

    layers: tuple[int, ...]
    inputs: Mapping[str, Box]
    outputs: Mapping[str, Box]
    boxes: Mapping[str, Box]
