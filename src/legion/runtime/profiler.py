"""Measures on this device, by the protocol of `MeasurementPolicy`."""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from math import prod
from statistics import median

import numpy as np

from legion.engine.base import Engine, Executable, Loader, graph_key
from legion.engine.constants import synthetic_constant
from legion.engine.kernel import ReferenceKernel
from legion.engine.pacer import Timed
from legion.geometry.local_graph import LocalConstant, LocalGraph
from legion.model.model import Array
from legion.profile.probes import LayerProbe
from legion.profile.samples import LayerSample, MeasurementPolicy, ProcessorSample
from legion.profile.statistics import undisturbed_s
from legion.runtime.frame_plan import Copy, Recipe
from legion.runtime.tensors import FrameTensors

_ROWS = 2
_ASSEMBLED = ((1, 64, 2, 1), (1, 512, 16, 32))
"""Images of so little that copying it takes nothing, and of a megabyte in short stretches, as bands of rows are."""
_PAIRS = 16
"""Of halves: so many that they are in no cache when their turn comes again."""

_KERNELS_APART = 20
"""The reference kernel runs once for so many times its own time."""

_KERNELS_AT_ONCE = 5
"""Runs of the reference kernel after one of a probe, at most."""

_HELD_UP = 2.0
"""A run that took so many times as long as the shortest of its probe is not what the probe takes."""

_WAIT_S = 0.005
"""Between two runs of probes: long enough for the processor to turn to something else, or to sleep."""

_COMPARING_S = 0.25
_LEAST_COMPARED = 5
_MOST_COMPARED = 100
_LEAST_S = 1e-9

Progress = Callable[[float], None]
"""Told the fraction that is done, after each step; may raise to end the measuring."""


class Profiler:
    """Measures layers with one engine. Raises what `engine.prepare` and running raise."""

    def __init__(self, engine: Engine, load: Loader, timed: Timed) -> None:
        self._engine = engine
        self._load = load
        self._timed = timed
        self._idled_s = _idle_s()

    def measure(
        self, probes: Sequence[LayerProbe], policy: MeasurementPolicy, progress: Progress
    ) -> tuple[LayerSample, ...]:
        """One sample per probe, in their order, with at most `policy.rounds` entries each."""
        kernel = ReferenceKernel(self._engine)
        steps = len(probes) * (1 + policy.rounds)
        subjects: list[_Subject] = []
        for probe, graph in zip(probes, _graphs(probes), strict=True):
            subjects.append(_Subject(probe, self._engine.prepare(graph, self._load)))
            progress(len(subjects) / steps)
        part_s = policy.budget_s / max(1, len(probes))
        shuffler = random.Random(policy.seed)
        for number in range(policy.rounds):
            order = [subject for subject in subjects if number == 0 or subject.spent_s < part_s]
            shuffler.shuffle(order)
            self._round(
                order, kernel, lambda done, number=number: progress((len(probes) * (1 + number) + done) / steps)
            )
        progress(1.0)
        return tuple(subject.sample() for subject in subjects)

    def _round(self, order: Sequence["_Subject"], kernel: ReferenceKernel, progress: Progress) -> None:
        """One entry for each; the reference kernel runs in between, in proportion to the time that has passed."""
        references = [kernel.time(self._timed)]
        passed_s = 0.0
        for done, subject in enumerate(order, 1):
            self._wait()
            subject.seconds.append(subject.time(self._timed))
            passed_s += subject.seconds[-1]
            due = int(passed_s / (_KERNELS_APART * references[0]))
            references += [kernel.time(self._timed) for _ in range(min(due, _KERNELS_AT_ONCE))]
            passed_s = 0.0 if due else passed_s
            progress(done)
        for subject in order:
            subject.reference_s.append(undisturbed_s(references))

    def _wait(self) -> None:
        """Idle for as long as is due since the last run of a probe; a slowed-down thread has slept since then."""
        time.sleep(max(0.0, self._idled_s + _WAIT_S - _idle_s()))
        self._idled_s = _idle_s()


def _graphs(probes: Sequence[LayerProbe]) -> Iterator[LocalGraph]:
    """What to run: the probes' graphs, made for their extents as plans' graphs are."""
    keys = [graph_key(probe.graph) for probe in probes]
    runs: dict[str, list[tuple[tuple[int, ...], ...]]] = defaultdict(list)
    for key, probe in zip(keys, probes, strict=True):
        runs[key].append(probe.input_shapes)
    for key, probe in zip(keys, probes, strict=True):
        yield probe.graph.made_for(runs[key])


def _idle_s() -> float:
    """A clock that stands still while this thread computes."""
    return time.perf_counter() - time.thread_time()


def measure_processor(engine: Engine, timed: Timed) -> ProcessorSample:
    """The reference kernel for a quarter of a second, five times at least and a hundred times at most; after each run
    an array is assembled, a small one and a large one in turn. Not rehearsed: in a frame other work was before.
    """
    kernel = ReferenceKernel(engine)
    assemblings = [_assembling(shape) for shape in _ASSEMBLED]
    assembling_s: list[list[float]] = [[] for _ in assemblings]
    reference_s: list[float] = []
    while len(reference_s) < _MOST_COMPARED and (len(reference_s) < _LEAST_COMPARED or sum(reference_s) < _COMPARING_S):
        which = len(reference_s) % len(assemblings)
        reference_s.append(kernel.time(timed))
        assembling_s[which].append(timed(assemblings[which]))
    small_s, large_s = map(median, assembling_s)
    return ProcessorSample(
        reference_s=tuple(reference_s),
        assembling_s=small_s,
        copy_bytes_per_s=prod(_ASSEMBLED[1]) * np.dtype(np.float32).itemsize / max(large_s - small_s, _LEAST_S),
    )


def _assembling(shape: tuple[int, ...]) -> Callable[[], object]:
    """What makes an image of two halves, one above the other, as a frame does: of other halves each time."""
    pairs = [FrameTensors(2) for _ in range(_PAIRS)]
    for tensors in pairs:
        for slot, half in enumerate(np.split(np.ones(shape, np.float32), 2, axis=_ROWS)):
            tensors.fill(slot, half.copy())
    rows = shape[_ROWS] // 2
    targets = slice(rows), slice(rows, None)
    copies = (
        Copy(slot=slot, source=None, target=(slice(None), slice(None), each)) for slot, each in enumerate(targets)
    )
    recipe = Recipe(shape=shape, copies=tuple(copies))
    in_turn = cycle(pairs)
    return lambda: next(in_turn).make(recipe)


@dataclass(slots=True)
class _Subject:
    """A probe made ready, and what was measured of it."""

    probe: LayerProbe
    executable: Executable
    inputs: list[Array] = field(init=False)
    seconds: list[float] = field(default_factory=list[float])
    reference_s: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self.inputs = [
            synthetic_constant(LocalConstant(name=each.name, shape=shape, dtype=each.dtype, digest=None))
            for each, shape in zip(self.probe.graph.inputs, self.probe.input_shapes, strict=True)
        ]

    @property
    def spent_s(self) -> float:
        """Runs that were held up are not counted, so that others follow; nor is a single one, which may have been."""
        if len(self.seconds) == 1:
            return 0.0
        longest_s = _HELD_UP * min(self.seconds)
        return sum(seconds for seconds in self.seconds if seconds <= longest_s)

    def time(self, timed: Timed) -> float:
        """Seconds of one run on inputs that others have written long since, as in a frame."""
        return timed(lambda: self.executable.run(self.inputs))

    def sample(self) -> LayerSample:
        return LayerSample(
            key=self.probe.key,
            extent=self.probe.extent,
            seconds=tuple(self.seconds),
            reference_s=tuple(self.reference_s),
        )
