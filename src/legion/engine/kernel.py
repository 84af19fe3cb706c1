"""A small fixed computation whose time tells how fast the device is at this moment."""

from collections.abc import Callable

from legion.engine.base import Engine
from legion.engine.constants import synthetic_constant
from legion.geometry.local_graph import LocalConstant, LocalGraph, LocalInput
from legion.model.model import Operator

_CHANNELS = 64
_ROWS = 16
_COLUMNS = 50


class ReferenceKernel:
    """A 3x3 convolution of 64 to 64 channels on 16x50, about half a millisecond on one core of a server.

    It runs around samples: dividing by its times takes the drift of the clock rate and of other load out of a
    measurement. It is small enough for most processors' own caches.
    """

    def __init__(self, engine: Engine) -> None:
        shape = (1, _CHANNELS, _ROWS, _COLUMNS)
        self._executable = engine.prepare(_kernel_graph(), synthetic_constant)
        self._inputs = [synthetic_constant(LocalConstant(name="input", shape=shape, dtype="float32", digest=None))]
        self._executable.run(self._inputs)

    def time(self, clock: Callable[[], float]) -> float:
        """Seconds that one run takes by `clock`, after one that brings its data back into the caches."""
        self._executable.run(self._inputs)
        start = clock()
        self._executable.run(self._inputs)
        return clock() - start


def _kernel_graph() -> LocalGraph:
    weights = LocalConstant(name="weights", shape=(_CHANNELS, _CHANNELS, 3, 3), dtype="float32", digest=None)
    convolution = Operator(
        name="reference kernel",
        op_type="Conv",
        inputs=("input", "weights"),
        outputs=("output",),
        attributes={"pads": (1, 1, 1, 1)},
    )
    return LocalGraph(
        opset=18,
        operators=(convolution,),
        inputs=(LocalInput(name="input", dtype="float32", dims=(1, _CHANNELS, None, None)),),
        outputs=("output",),
        constants=(weights,),
    )
