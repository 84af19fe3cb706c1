"""Constants on a worker's disk, named by content, and mapped into memory from there."""

import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from math import prod
from pathlib import Path

import numpy as np

from legion.errors import InputError, PeerError
from legion.geometry.local_graph import LocalConstant
from legion.model.constants import ConstantHasher
from legion.model.model import Array
from legion.wire.messages import PutWeight

_DIGEST = re.compile(r"[0-9a-f]{32}")


class WeightStore:
    """A directory with one file per constant: its bare bytes, under its digest.

    Files appear whole and verified, or not at all, so that several workers can share the directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._upload: _Upload | None = None

    def missing(self, digests: Iterable[str]) -> tuple[str, ...]:
        """Those of the digests that are not stored."""
        return tuple(digest for digest in digests if not self._path(digest).exists())

    def put(self, piece: PutWeight, payload: bytes | memoryview) -> None:
        """Add a piece to the constant that it belongs to; the first one starts it, the last one stores it.

        Raises PeerError when the disk is full or cannot be written, and when the bytes do not have
        the digest; InputError when the piece does not continue the last one.
        """
        try:
            if piece.offset == 0:
                self.drop_upload()
                self.directory.mkdir(parents=True, exist_ok=True)
                self._upload = _Upload(self._path(piece.digest), piece)
            if self._upload is None or not self._upload.continues(piece):
                raise InputError(f"a piece of constant {piece.digest} came out of order; send the constant again")
            self._upload.add(payload)
            if piece.offset + len(payload) == piece.total_bytes:
                upload, self._upload = self._upload, None
                upload.store()
        except OSError as exc:
            self.drop_upload()
            raise PeerError(
                f"the weight cache at {self.directory} cannot take {piece.total_bytes / 1e6:.3g} MB more "
                f"({exc.strerror}); free some space there, or give another directory"
            ) from exc

    def load(self, constant: LocalConstant) -> Array:
        """The constant's values, mapped from disk, read-only.

        Raises InputError when they are not stored; a file of another size is removed, so that the next
        query finds it missing.
        """
        path = self._path(constant.digest or "")
        size_bytes = prod(constant.shape) * np.dtype(constant.dtype).itemsize
        if not path.exists() or path.stat().st_size != size_bytes:
            path.unlink(missing_ok=True)
            raise InputError(f"the values of constant {constant.name!r} are not stored; send the weights again")
        if not size_bytes:
            return np.empty(constant.shape, constant.dtype)
        return np.memmap(path, np.dtype(constant.dtype), "r", shape=constant.shape)

    def drop_upload(self) -> None:
        """Forget a constant of which not all pieces came."""
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.discard()

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise InputError(f"{digest!r} is no digest of a constant")
        return self.directory / digest


class _Upload:
    """A constant under way: a temporary file, and the digest of what is in it."""

    def __init__(self, path: Path, first: PutWeight) -> None:
        self._path = path
        self._digest = first.digest
        self._hasher = ConstantHasher(first.dtype, first.shape)
        self._size_bytes = 0
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        self._temporary = Path(temporary)
        self._file = os.fdopen(handle, "wb", buffering=0)

    def continues(self, piece: PutWeight) -> bool:
        """Whether the piece is the next one of this constant."""
        return piece.digest == self._digest and piece.offset == self._size_bytes

    def add(self, payload: bytes | memoryview) -> None:
        """Write the next bytes."""
        view = memoryview(payload)
        self._hasher.update(view)
        self._size_bytes += len(view)
        while view:
            view = view[self._file.write(view) :]

    def store(self) -> None:
        """Make the file appear under its digest, once it is certain to survive a power cut."""
        if self._hasher.digest() != self._digest:
            self.discard()
            raise PeerError(f"the bytes that came are not those of constant {self._digest}; send them again")
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self._path)
        except OSError:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove what was written, if the disk lets us."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._temporary.unlink()
