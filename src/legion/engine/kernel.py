"""Small fixed computations: one whose time tells how fast the device is, one that takes hardly any."""

from collections.abc import Callable

from legion.engine.base import Engine
from legion.engine.constants import synthetic_constant
from legion.engine.pacer import Timed
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
        self._run = _prepared(engine, channels=_CHANNELS, kernel=3, rows=_ROWS, columns=_COLUMNS)
        self._run()

    def time(self, timed: Timed) -> float:
        """Seconds that one run takes, after one that brings its data back into the caches."""
        return timed(self._run, rehearsed=True)


def waking_call(engine: Engine) -> Callable[[], object]:
    """A convolution of so little that all it does is to bring the engine's own code into the caches."""
    return _prepared(engine, channels=16, kernel=1, rows=4, columns=4)


def convolution(channels: int, kernel: int) -> LocalGraph:
    """One of as many channels to as many, on images of any extents; its weights are synthetic."""
    operator = Operator(
        name="convolution",
        op_type="Conv",
        inputs=("input", "weights"),
        outputs=("output",),
        attributes={"pads": (kernel // 2,) * 4},
    )
    return LocalGraph(
        opset=18,
        operators=(operator,),
        inputs=(LocalInput(name="input", dtype="float32", dims=(1, channels, None, None)),),
        outputs=("output",),
        constants=(_constant("weights", (channels, channels, kernel, kernel)),),
    )


def _prepared(engine: Engine, *, channels: int, kernel: int, rows: int, columns: int) -> Callable[[], object]:
    """A convolution on synthetic numbers, made ready to run."""
    executable = engine.prepare(convolution(channels, kernel), synthetic_constant)
    inputs = [synthetic_constant(_constant("input", (1, channels, rows, columns)))]
    return lambda: executable.run(inputs)


def _constant(name: str, shape: tuple[int, ...]) -> LocalConstant:
    return LocalConstant(name=name, shape=shape, dtype="float32", digest=None)
