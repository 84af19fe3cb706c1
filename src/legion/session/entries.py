"""A folder of entries under keys: written whole or not at all, the newest kept, damaged ones as good as missing."""

import logging
import os
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import Generic, TypeVar, cast

import msgspec
import numpy as np

from legion.model.model import Array

_DIGEST_BYTES = 16

_logger = logging.getLogger(__name__)

T = TypeVar("T")


def key_of(*parts: object) -> str:
    """The digest of what an entry is made from, any of Legion's data, as 32 hexadecimal digits."""
    return _digest(msgspec.msgpack.encode(parts, order="deterministic")).hex()


class Entries(Generic[T]):
    """At most `most` values of one type, in one file each: the digest of the content, then the content.

    Nothing is raised for what cannot be read or written: it is logged, and the caller makes the value anew.
    """

    def __init__(self, folder: Path, kind: type[T], most: int) -> None:
        self._folder = folder
        self._kind = kind
        self._most = most

    def get(self, key: str) -> T | None:
        """What is kept under the key, if it is there and sound."""
        path = self._folder / key
        try:
            content = path.read_bytes()
            if _digest(content[_DIGEST_BYTES:]) != content[:_DIGEST_BYTES]:
                raise ValueError("its content is not what was written")
            return msgspec.msgpack.decode(content[_DIGEST_BYTES:], type=self._kind, dec_hook=_decoded)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.MsgspecError) as exc:
            _logger.warning("the cache entry %s cannot be used (%s); it is made anew", path, exc)
            return None

    def put(self, key: str, value: T) -> None:
        """Keep a value in the place of what was there, and forget the oldest where there are too many."""
        try:
            content = msgspec.msgpack.encode(value, enc_hook=_encoded)
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(key, _digest(content) + content)
            self._forget()
        except (OSError, TypeError) as exc:
            _logger.warning("%s cannot be kept in %s (%s); it will be made anew", key, self._folder, exc)

    def _forget(self) -> None:
        """The oldest entries, those that another process has just forgotten or is writing left alone."""
        written = {path: path.stat().st_mtime_ns for path in self._folder.glob("[!.]*") if path.exists()}
        for path in sorted(written, key=lambda path: written[path])[: -self._most]:
            path.unlink(missing_ok=True)

    def _write(self, key: str, content: bytes) -> None:
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).replace(self._folder / key)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST_BYTES).digest()


def _encoded(value: object) -> tuple[str, tuple[int, ...], bytes]:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"a {type(value).__name__} is none of Legion's data")
    array = cast("Array", value)
    return array.dtype.str, array.shape, array.tobytes()


def _decoded(_kind: type, value: tuple[str, tuple[int, ...], bytes]) -> Array:
    """An array, the only type of Legion's data that msgspec does not know."""
    dtype, shape, content = value
    return np.frombuffer(content, dtype).reshape(shape)
