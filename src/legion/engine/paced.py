"""A slower processor, emulated: work on one thread takes its processor time divided by a speed."""

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from legion.engine.base import Engine, Executable, Loader
from legion.errors import InputError
from legion.geometry.local_graph import LocalGraph
from legion.model.model import Array

if TYPE_CHECKING:  # it needs file locks, which are not on every system that runs at full speed
    from legion.engine.turns import Turns

_TIMER_SLACK = Path("/proc/self/timerslack_ns")


class Pacer:
    """Slows down what one thread does to `speed`, a fraction of a core of this machine; 1 changes nothing.

    It sleeps, and so takes neither the core nor the network from others, unlike a processor quota. By how much work
    ends late, because a sleep lasted longer than told or this machine was busy, is taken off the next sleeps: on the
    slower processor the work after it would have begun sooner. What is not made up for until the thread `waited` for
    something is an overrun. What it computes takes place in its turn, if there are `turns`: to wait for one is part of
    the time that it takes, and so is made up for by sleeping less. `clock` and `processor_clock` are in seconds, the
    latter counting the calling thread's processor time.

    Raises InputError for a speed that is not above 0 and up to 1.
    """

    def __init__(
        self,
        speed: float = 1.0,
        *,
        turns: "Turns | None" = None,
        clock: Callable[[], float] = time.perf_counter,
        processor_clock: Callable[[], float] = time.thread_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not 0 < speed <= 1:
            raise InputError(f"a speed of {speed:g} cannot be emulated; choose one above 0 and up to 1")
        self.speed = speed
        self._turns = turns
        self._late_s = 0.0
        self._overrun_s = 0.0
        self._is_pacing = False
        self._clock = clock
        self._processor_clock = processor_clock
        self._sleep = sleep

    @property
    def overrun_s(self) -> float:
        """The sum of overruns so far, and what could still be made up for."""
        return self._overrun_s + self._late_s

    def waited(self) -> None:
        """Work that comes now would not have begun sooner if that before it had ended in time."""
        self._overrun_s += self._late_s
        self._late_s = 0.0

    def time(self) -> float:
        """Seconds for measuring what this thread computes: processor time over speed, which other work on this machine
        does not lengthen; the clock itself where nothing is slowed down.
        """
        return self._clock() if self.speed == 1 else self._processor_clock() / self.speed

    @contextmanager
    def suspended(self) -> Generator[None]:
        """Let what the body does take its own time: preparing is not slowed down."""
        speed, self.speed = self.speed, 1.0
        try:
            yield
        finally:
            self.speed = speed

    def computing(self) -> AbstractContextManager[None]:
        """Make the body of a `with` take its processor time divided by the speed, once where one is inside another."""
        return self._paced(self._turns)

    def handing_over(self) -> AbstractContextManager[None]:
        """The same for what is too short to wait for a turn."""
        return self._paced(None)

    def _paced(self, turns: "Turns | None") -> AbstractContextManager[None]:
        if self.speed == 1 or self._is_pacing:
            return nullcontext()
        self._is_pacing = True
        return _Paced(turns, self._clock, self._processor_clock, self._slow_down)

    def _slow_down(self, start_s: float, computed_s: float) -> None:
        """Sleep until what began at `start_s`, and took so much processor time, ends on the slower processor."""
        self._is_pacing = False
        due_s = start_s + computed_s / self.speed - self._late_s
        early_s = due_s - self._clock()
        if early_s > 0:
            self._sleep(early_s)
        self._late_s = max(0.0, self._clock() - due_s)


class _Paced:
    """Reads the processor's clock last before the body and first after it: pacing itself is hardly slowed down.

    A generator would be shorter, but twice as much of it would count as the body's, most where caches are cold.
    """

    __slots__ = ("_clock", "_processor_clock", "_slow_down", "_start_cpu_s", "_start_s", "_turns")

    def __init__(
        self,
        turns: "Turns | None",
        clock: Callable[[], float],
        processor_clock: Callable[[], float],
        slow_down: Callable[[float, float], None],
    ) -> None:
        self._turns = turns
        self._clock = clock
        self._processor_clock = processor_clock
        self._slow_down = slow_down
        self._start_s = self._start_cpu_s = 0.0

    def __enter__(self) -> None:
        self._start_s = self._clock()
        if self._turns is not None:
            self._turns.begin()
        self._start_cpu_s = self._processor_clock()

    def __exit__(self, *_: object) -> None:
        computed_s = self._processor_clock() - self._start_cpu_s
        if self._turns is not None:
            self._turns.end()
        self._slow_down(self._start_s, computed_s)


def end_sleeps_in_time() -> None:
    """Have the kernel wake the threads that this one will start as soon as their sleep is over.

    It may else wait for 50 us more, to wake several at once. Does nothing where it is not Linux.
    """
    with suppress(OSError):
        _TIMER_SLACK.write_text("1")


class PacedEngine:
    """Another engine, whose executables run at a pacer's speed; preparing them is not slowed down.

    Raises InputError for an engine of several threads: the pacer sees only the one that calls it.
    """

    def __init__(self, engine: Engine, pacer: Pacer) -> None:
        if engine.threads != 1:
            raise InputError(f"an engine of {engine.threads} threads cannot be slowed down; give it one")
        self._engine = engine
        self._pacer = pacer

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def providers(self) -> tuple[str, ...]:
        return self._engine.providers

    @property
    def threads(self) -> int:
        return self._engine.threads

    @property
    def versions(self) -> Mapping[str, str]:
        return self._engine.versions

    @property
    def resident_bytes(self) -> int:
        return self._engine.resident_bytes

    def prepare(self, graph: LocalGraph, load: Loader) -> Executable:
        return _PacedExecutable(self._engine.prepare(graph, load), self._pacer)

    def retain(self, graphs: Iterable[LocalGraph]) -> None:
        self._engine.retain(graphs)


class _PacedExecutable:
    def __init__(self, executable: Executable, pacer: Pacer) -> None:
        self._executable = executable
        self._pacer = pacer

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        with self._pacer.computing():
            return self._executable.run(inputs)
