"""What becomes of an image's bytes before a network computes with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_LARGEST_BYTE = 255.0
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteNormalization:
    """`(byte - mean) / deviation`: one value for each channel, or one for all, on the scale of bytes (0 to 255)."""

    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)


NORMALIZATIONS: Mapping[str, ByteNormalization] = MappingProxyType(
    {
        "imagenet": ByteNormalization(
            mean=tuple(_LARGEST_BYTE * value for value in _IMAGENET_MEAN),
            deviation=tuple(_LARGEST_BYTE * value for value in _IMAGENET_DEVIATION),
        ),
        "unit": ByteNormalization(deviation=(_LARGEST_BYTE,)),
        "signed": ByteNormalization(mean=(_LARGEST_BYTE / 2,), deviation=(_LARGEST_BYTE / 2,)),
        "bytes": ByteNormalization(),
    }
)
"""By name: with ImageNet's mean and deviation (red, green, blue), to 0..1, to -1..1, and 0..255 as they are."""
