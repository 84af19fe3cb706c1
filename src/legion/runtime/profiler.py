"""Measures on this device, by the protocol: warm-ups, shuffled rounds, a reference kernel around each sample."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from legion.engine.base import Engine, Executable, Loader
from legion.engine.constants import synthetic_constant
from legion.engine.kernel import ReferenceKernel
from legion.engine.paced import Pacer
from legion.geometry.local_graph import LocalConstant
from legion.model.model import Array
from legion.profile.probes import LayerProbe
from legion.profile.samples import LayerSample, MeasurementPolicy

_COPIED_BYTES = 16 << 20
_COPY_ROUNDS = 5
_SHORT_S = 5e-3
"""Runs below this are short: what they miss in the caches weighs."""

Progress = Callable[[float], None]
"""Told the fraction that is done, after each step; may raise to end the measuring."""


class Profiler:
    """Measures layers with one engine. Raises what `engine.prepare` and running raise."""

    def __init__(self, engine: Engine, load: Loader, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._load = load
        self._clock = clock

    def measure(
        self, probes: Sequence[LayerProbe], policy: MeasurementPolicy, progress: Progress
    ) -> tuple[LayerSample, ...]:
        """One sample per probe, in their order, with `policy.rounds` entries each."""
        kernel = ReferenceKernel(self._engine)
        steps = len(probes) * (2 + policy.rounds)
        subjects: list[_Subject] = []
        for probe in probes:
            subjects.append(_Subject(probe, self._engine.prepare(probe.graph, self._load)))
            progress(len(subjects) / steps)
        done = len(probes)
        for subject in subjects:
            for _ in range(policy.warmups):
                subject.run()
            done += 1
            progress(done / steps)
        order = list(subjects)
        shuffler = random.Random(policy.seed)
        for _ in range(policy.rounds):
            shuffler.shuffle(order)
            for subject in order:
                subject.measure(kernel, self._clock)
                done += 1
                progress(done / steps)
        return tuple(subject.sample() for subject in subjects)


def measure_copying(clock: Callable[[], float], pacer: Pacer | None = None) -> float:
    """Bytes per second from memory to memory at the pacer's speed, the best of a few copies of 16 MB."""
    pacer = pacer or Pacer()
    source = np.ones(_COPIED_BYTES, np.uint8)
    target = np.empty_like(source)
    seconds: list[float] = []
    for _ in range(_COPY_ROUNDS):
        start_s = clock()
        with pacer.paced():
            target[...] = source
        seconds.append(clock() - start_s)
    return _COPIED_BYTES / max(min(seconds), 1e-9)


@dataclass(slots=True)
class _Subject:
    """A probe made ready, and what was measured of it."""

    probe: LayerProbe
    executable: Executable
    inputs: list[Array] = field(init=False)
    seconds: list[float] = field(default_factory=list[float])
    before_s: list[float] = field(default_factory=list[float])
    after_s: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self.inputs = [
            synthetic_constant(LocalConstant(name=each.name, shape=shape, dtype=each.dtype, digest=None))
            for each, shape in zip(self.probe.graph.inputs, self.probe.input_shapes, strict=True)
        ]

    def run(self) -> None:
        self.executable.run(self.inputs)

    def measure(self, kernel: ReferenceKernel, clock: Callable[[], float]) -> None:
        """One entry. Short runs are timed the second time: in a program their input has just been made.

        Coming after others' data they find their own in no cache, which costs them up to twice their time.
        """
        before_s = kernel.time(clock)
        seconds = self._time(clock)
        if seconds < _SHORT_S:
            seconds = self._time(clock)
        self.before_s.append(before_s)
        self.seconds.append(seconds)
        self.after_s.append(kernel.time(clock))

    def _time(self, clock: Callable[[], float]) -> float:
        start_s = clock()
        self.run()
        return clock() - start_s

    def sample(self) -> LayerSample:
        return LayerSample(
            key=self.probe.key,
            extent=self.probe.extent,
            seconds=tuple(self.seconds),
            reference_before_s=tuple(self.before_s),
            reference_after_s=tuple(self.after_s),
        )
