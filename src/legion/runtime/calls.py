"""Waiting for what devices answer."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

from legion.errors import PeerError
from legion.runtime.controller_events import Answer
from legion.runtime.switchboard import OpenCall, Switchboard

_TICK_S = 0.1

T = TypeVar("T")


def wait_for(
    switchboard: Switchboard,
    calls: Sequence[OpenCall],
    silence_s: float,
    tick: Callable[[], None] = lambda: None,
    *,
    for_all: bool = True,
) -> None:
    """Wait until one call has failed, or all are answered (or any, if not `for_all`).

    `tick` is called every now and then. When this raises, the calls are forgotten.

    Raises the error of a call that failed, and PeerError when a device says nothing for `silence_s`.
    """
    try:
        while True:
            still_open: set[Future[Answer]] = {call.future for call in calls if not call.future.done()}
            for call in calls:
                if call.future.done():
                    call.future.result()
            tick()
            if not still_open or (len(still_open) < len(calls) and not for_all):
                return
            wait(still_open, _TICK_S, FIRST_COMPLETED)
            for call in calls:
                if not call.future.done() and switchboard.silence_s(call) > silence_s:
                    raise PeerError(f"device {call.device} has said nothing for {silence_s:g} s; restart its worker")
    except BaseException:
        switchboard.forget(calls)
        raise


def answer_of(call: OpenCall, expected: type[T]) -> T:
    """The answer of a call that has one; PeerError when it is of another kind than expected."""
    answer = call.future.result()
    if not isinstance(answer, expected):
        raise PeerError(
            f"device {call.device} answered with {type(answer).__name__} to what asked for {expected.__name__}"
        )
    return answer
