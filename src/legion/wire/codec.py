"""From messages to bytes and back; whatever the bytes, nothing but PeerError comes of them.

Every message starts with a preamble that holds the protocol version and is the same in all
versions, so that a peer of another version is told apart before anything else is read.
"""

import sys
from collections.abc import Callable, Sequence
from math import prod
from operator import attrgetter
from typing import TypeVar

import msgspec
import numpy as np
from msgspec.structs import replace

from legion.errors import PeerError
from legion.model.constants import constant_bytes
from legion.model.model import Array
from legion.wire.messages import PutWeight, TensorHeader, ToController, ToWorker

PROTOCOL_VERSION = 2
MAX_CONTROL_BYTES = 64 << 20
"""A control message is smaller than this: plans take a few megabytes at most, weights come in pieces."""
MAX_TENSOR_BYTES = 1 << 30
"""A tensor message is smaller than this."""

Frame = bytes | memoryview

_MAGIC = b"LGN"
_PREAMBLE = _MAGIC + PROTOCOL_VERSION.to_bytes(2, "big")
_MAX_RANK = 32

_INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
_ELEMENT_TYPES = {
    name: np.dtype(name).newbyteorder("<")
    for name in ("bool", "float16", "float32", "float64", "complex64", "complex128", *_INTEGERS)
}
_elements: Callable[[Array], memoryview] = attrgetter("data") if sys.byteorder == "little" else constant_bytes
_Message = TypeVar("_Message")

_encoder = msgspec.msgpack.Encoder()
_to_worker_decoder = msgspec.msgpack.Decoder(ToWorker)
_to_controller_decoder = msgspec.msgpack.Decoder(ToController)
_header_decoder = msgspec.msgpack.Decoder(TensorHeader)


class VersionError(PeerError):
    """The peer speaks another version of the protocol."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"it speaks version {version} of the protocol, this one version {PROTOCOL_VERSION}; "
            "install the same Legion on both"
        )


def encode(message: ToWorker | ToController | TensorHeader) -> bytes:
    """The message as one frame; the payload that some have travels as a second one."""
    return _PREAMBLE + _encoder.encode(message)


def decode_to_worker(frames: Sequence[Frame]) -> tuple[ToWorker, Frame]:
    """What a controller said, and the payload beside it (empty if it has none).

    Raises VersionError for another protocol version, PeerError for anything else that is no message.
    """
    message: ToWorker = _decode(_to_worker_decoder, frames)
    payload: Frame = frames[1] if len(frames) == 2 else b""
    if len(frames) > 2 or (len(frames) == 2) != isinstance(message, PutWeight):
        raise PeerError(f"a {type(message).__name__} message came in {len(frames)} frames")
    if isinstance(message, PutWeight):
        _check_piece(message, len(payload))
    return message, payload


def decode_to_controller(frames: Sequence[Frame]) -> ToController:
    """What a worker said.

    Raises VersionError for another protocol version, PeerError for anything else that is no message.
    """
    if len(frames) > 1:
        raise PeerError(f"a message came in {len(frames)} frames, where one was due")
    return _decode(_to_controller_decoder, frames)


def decode_tensor(frames: Sequence[Frame]) -> tuple[TensorHeader, Array]:
    """A tensor's header, and its elements as an array that shares the frame's memory.

    Raises VersionError for another protocol version, PeerError for anything else that is no tensor.
    """
    header: TensorHeader = _decode(_header_decoder, frames)
    if len(frames) != 2 or len(header.shape) > _MAX_RANK:
        raise PeerError(f"a tensor of rank {len(header.shape)} came in {len(frames)} frames")
    dtype = _element_type(header.dtype)
    payload = frames[1]
    size_bytes = memoryview(payload).nbytes
    if prod(header.shape) * dtype.itemsize != size_bytes:
        raise PeerError(f"{size_bytes} bytes came for a {header.dtype} tensor of shape {header.shape}")
    try:
        array = np.frombuffer(payload, dtype) if size_bytes else np.empty(0, dtype)
        return header, array.reshape(header.shape)
    except (ValueError, OverflowError) as exc:
        raise PeerError(f"there is no tensor of shape {header.shape}") from exc


class TensorEncoder:
    """Encodes a tensor that is sent once per frame, as arrays of the header's dtype and shape.

    Raises PeerError when the tensor is larger than one message may be, or of a type that does not travel.
    """

    def __init__(self, header: TensorHeader) -> None:
        size_bytes = prod(header.shape) * _element_type(header.dtype).itemsize
        if size_bytes >= MAX_TENSOR_BYTES:
            raise PeerError(f"{size_bytes} bytes of {header.tensor} are too many for one message; use smaller shares")
        self._dtype = np.dtype(header.dtype)
        self._shape = header.shape
        # The elements of an array follow one another in MessagePack, and zero is one byte.
        self._before_frame = encode(replace(header, frame=0))[:-1]

    def fits(self, array: Array) -> bool:
        """Whether the array is of the header's dtype and shape."""
        return array.shape == self._shape and array.dtype == self._dtype

    def encode(self, frame: int, array: Array) -> tuple[bytes, memoryview]:
        """The two frames of the message, of an array that fits and is in C order; the second shares its memory
        (on a big-endian machine it is a copy).
        """
        return self._before_frame + _encoder.encode(frame), _elements(array)


def _decode(decoder: msgspec.msgpack.Decoder[_Message], frames: Sequence[Frame]) -> _Message:
    body = memoryview(frames[0]) if frames else memoryview(b"")
    if len(body) < len(_PREAMBLE) or bytes(body[: len(_MAGIC)]) != _MAGIC:
        raise PeerError("what came is no message of Legion's")
    version = int.from_bytes(body[len(_MAGIC) : len(_PREAMBLE)], "big")
    if version != PROTOCOL_VERSION:
        raise VersionError(version)
    try:
        return decoder.decode(body[len(_PREAMBLE) :])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise PeerError(f"a message came that cannot be read: {exc}") from exc


def _element_type(name: str) -> np.dtype[np.generic]:
    """The little-endian dtype of this name; PeerError for anything that is no number or boolean."""
    dtype = _ELEMENT_TYPES.get(name)
    if dtype is None:
        raise PeerError(f"tensors of type {name!r} do not travel")
    return dtype


def _check_piece(message: PutWeight, size_bytes: int) -> None:
    if len(message.shape) > _MAX_RANK:
        raise PeerError(f"a piece came of a constant of rank {len(message.shape)}")
    total = prod(message.shape) * _element_type(message.dtype).itemsize
    if message.total_bytes != total or message.offset + size_bytes > total or not (size_bytes or not total):
        raise PeerError(f"{size_bytes} bytes at {message.offset} are no piece of {message.dtype}{message.shape}")
