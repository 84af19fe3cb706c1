"""The name by which a constant's values are known: the digest of their dtype, shape and bytes."""

from hashlib import blake2b

import numpy as np

from legion.model.model import Array


class ConstantHasher:
    """Computes a constant's digest from its bytes (C order, little-endian) as they come, piece by piece."""

    def __init__(self, dtype: str, shape: tuple[int, ...]) -> None:
        self._hash = blake2b(f"{dtype}{list(shape)}".encode(), digest_size=16)

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next bytes, in order."""
        self._hash.update(piece)

    def digest(self) -> str:
        """The digest of all that was taken, as 32 hexadecimal digits."""
        return self._hash.hexdigest()


def constant_digest(array: Array) -> str:
    """The digest of one array: blake2b, 16 bytes, over dtype, shape and bytes, as 32 hexadecimal digits."""
    hasher = ConstantHasher(array.dtype.name, array.shape)
    hasher.update(constant_bytes(array))
    return hasher.digest()


def constant_bytes(array: Array) -> memoryview:
    """The array's bytes in C order, little-endian; copied only where it is not laid out so already."""
    little_endian = array.dtype.newbyteorder("<")
    return np.ascontiguousarray(array, dtype=little_endian).reshape(-1).view(np.uint8).data
