"""Constants cut to the boxes that local graphs need of them, named by content."""

from collections.abc import Mapping

import numpy as np

from legion.geometry.box import Box
from legion.geometry.local_graph import LocalConstant
from legion.model.constants import constant_digest
from legion.model.model import Array, Model

SYNTHETIC_ABOVE_BYTES = 4096
"""Floating constants larger than this are weights, whose values no running time depends on."""


class ConstantPool:
    """The pieces of a model's constants that local graphs use, each kept once.

    A synthetic pool keeps no large floating constants: its local constants of these have no digest,
    so that a layer can be profiled without its weights.
    """

    def __init__(self, model: Model, *, synthetic: bool = False) -> None:
        self._model = model
        self._synthetic = synthetic
        self._digests: dict[tuple[str, Box], str] = {}
        self._arrays: dict[str, Array] = {}

    @property
    def arrays(self) -> Mapping[str, Array]:
        """All pieces named so far, by digest."""
        return self._arrays

    def piece(self, name: str, box: Box, local_name: str) -> LocalConstant:
        """The box of one of the model's constants, as a local constant of this name."""
        constant = self._model.constants[name]
        dtype = constant.dtype.name
        size_bytes = box.volume * constant.dtype.itemsize
        digest = None
        if not (self._synthetic and "float" in dtype and size_bytes > SYNTHETIC_ABOVE_BYTES):
            digest = self._digests.get((name, box))
            if digest is None:
                digest = self._digests[name, box] = self._keep(constant[box.relative_to(Box.whole(constant.shape))])
        return LocalConstant(name=local_name, shape=box.shape, dtype=dtype, digest=digest)

    def made(self, array: Array, local_name: str) -> LocalConstant:
        """A constant that a rule made."""
        return LocalConstant(name=local_name, shape=array.shape, dtype=array.dtype.name, digest=self._keep(array))

    def _keep(self, array: Array) -> str:
        digest = constant_digest(array)
        if digest not in self._arrays:
            self._arrays[digest] = np.ascontiguousarray(array).reshape(array.shape)
        return digest
