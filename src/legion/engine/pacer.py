"""A slower processor, emulated: work on one thread takes its processor time divided by a speed."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from legion.errors import InputError

if TYPE_CHECKING:  # it needs file locks, which are not on every system that runs at full speed
    from legion.engine.turns import Turns

Work = Callable[[], object]


class Timed(Protocol):
    """Does some work, once more before if it is `rehearsed`, and says in how many seconds."""

    def __call__(self, work: Work, *, rehearsed: bool = False) -> float: ...


_TIMER_SLACK = Path("/proc/self/timerslack_ns")


class Pacer:
    """Slows down what one thread does to `speed`, a fraction of a core of this machine; 1 changes nothing.

    The thread computes ahead of the clock, and `now_s` says how far the slower processor has come. Whoever lets others
    see something of what was computed waits until then, as the sender does, or sleeps, as `catch_up` does. So the
    thread takes neither the core nor the network from others, unlike under a processor quota, and what belongs together
    is computed at one go, as on the slower processor. By how much work ends late, because this machine was busy, is
    taken off the time of the work after it, which would have begun sooner. What is not made up for until the thread
    `waited` for something, or `received` something that came later, is an overrun.

    What it computes takes place in its turn, if there are `turns`: to wait for one is part of the time that it takes,
    and so made up for. `wake` is done before each computation, and not counted: it brings the code that computes back
    into caches that others have used meanwhile, as nobody would on the slower processor. `clock` and `processor_clock`
    are in seconds, the latter counting the calling thread's processor time.

    Raises InputError for a speed that is not above 0 and up to 1.
    """

    def __init__(  # noqa: PLR0913 - what it does it by, so that tests can
        self,
        speed: float = 1.0,
        *,
        turns: "Turns | None" = None,
        wake: Work | None = None,
        clock: Callable[[], float] = time.perf_counter,
        processor_clock: Callable[[], float] = time.thread_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not 0 < speed <= 1:
            raise InputError(f"a speed of {speed:g} cannot be emulated; choose one above 0 and up to 1")
        self.speed = speed
        self._turns = turns
        self._wake = wake
        self._reached_s = 0.0
        self._late_s = 0.0
        self._overrun_s = 0.0
        self._clock = clock
        self._processor_clock = processor_clock
        self._sleep = sleep

    @property
    def overrun_s(self) -> float:
        """The sum of overruns so far, and what could still be made up for."""
        return self._overrun_s + self._late_s

    def now_s(self) -> float:
        """When what was computed so far ends on the slower processor; by the clock if that is in the past."""
        return max(self._reached_s, self._clock())

    def waited(self) -> None:
        """Work that comes now would not have begun sooner if that before it had ended in time."""
        self._overrun_s += self._late_s
        self._late_s = 0.0

    def received(self, arrived_s: float) -> None:
        """Work that comes now could not have begun before then, by the clock."""
        waited_s = min(self._late_s, max(0.0, arrived_s - self._reached_s))
        self._overrun_s += waited_s
        self._late_s -= waited_s
        self._reached_s = max(self._reached_s, arrived_s)

    def abandon(self) -> None:
        """What was computed so far does not count any more: the slower processor turns to something else now."""
        self._reached_s = 0.0
        self.waited()

    def computing(self) -> AbstractContextManager[object]:
        """Make the body of a `with` take its processor time divided by the speed; not one inside another."""
        return self._paced(self._turns, self._wake)

    def handing_over(self) -> AbstractContextManager[object]:
        """The same for what is too short to wait for a turn."""
        return self._paced(None, None)

    def catch_up(self) -> None:
        """Sleep until what was computed so far has ended on the slower processor."""
        early_s = self._reached_s - self._clock()
        if early_s > 0:
            self._sleep(early_s)

    def timed(self, work: Work, *, rehearsed: bool = False) -> float:
        """Do some work, and catch up: the seconds that it took on the slower processor, which other work on this
        machine does not lengthen; by the clock where nothing is slowed down. If `rehearsed`, it is done once before,
        which is not counted.
        """
        if self.speed == 1:
            if rehearsed:
                work()
            start_s = self._clock()
            work()
            return self._clock() - start_s
        with self._slowed(self._turns, work if rehearsed else self._wake) as slowed:
            work()
        self.catch_up()
        return slowed.processor_s / self.speed

    def _paced(self, turns: "Turns | None", first: Work | None) -> AbstractContextManager[object]:
        return nullcontext() if self.speed == 1 else self._slowed(turns, first)

    def _slowed(self, turns: "Turns | None", first: Work | None) -> "_Slowed":
        return _Slowed(self._begin, turns, first, self._processor_clock, self._end)

    def _begin(self) -> float:
        """When what comes now begins on the slower processor."""
        return max(self._reached_s, self._clock() - self._late_s)

    def _end(self, start_s: float, processor_s: float) -> None:
        self._reached_s = start_s + processor_s / self.speed
        self._late_s = max(0.0, self._clock() - self._reached_s)


class _Slowed:
    """Reads the processor's clock last before the body and first after it: pacing itself is hardly slowed down.

    A generator would be shorter, but twice as much of it would count as the body's, most where caches are cold.
    """

    __slots__ = ("_begin", "_end", "_first", "_processor_clock", "_start_s", "_turns", "processor_s")

    def __init__(
        self,
        begin: Callable[[], float],
        turns: "Turns | None",
        first: Work | None,
        processor_clock: Callable[[], float],
        end: Callable[[float, float], None],
    ) -> None:
        self._begin = begin
        self._turns = turns
        self._first = first
        self._processor_clock = processor_clock
        self._end = end
        self._start_s = self.processor_s = 0.0

    def __enter__(self) -> "_Slowed":
        self._start_s = self._begin()
        if self._turns is not None:
            self._turns.begin()
        try:
            if self._first is not None:
                self._first()
        except BaseException:
            self._end_turn()
            raise
        self.processor_s = -self._processor_clock()
        return self

    def __exit__(self, *_: object) -> None:
        self.processor_s += self._processor_clock()
        self._end_turn()
        self._end(self._start_s, self.processor_s)

    def _end_turn(self) -> None:
        if self._turns is not None:
            self._turns.end()


def end_sleeps_in_time() -> None:
    """Have the kernel wake the threads that this one will start as soon as their sleep is over.

    It may else wait for 50 us more, to wake several at once. Does nothing where it is not Linux.
    """
    with suppress(OSError):
        _TIMER_SLACK.write_text("1")
