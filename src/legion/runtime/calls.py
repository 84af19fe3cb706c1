"""Waiting for what devices answer."""

import queue
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from legion.errors import PeerError
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
    """Wait until one call has failed, or all are answered (or any, if not `for_all`); they share their queue.

    `tick` is called every now and then. When this raises, the calls are forgotten.

    Raises the error of a call that failed, and PeerError when a device says nothing for `silence_s`.
    """
    try:
        while True:
            still_open = [call for call in calls if not call.is_over]
            for call in calls:
                if call.is_over:
                    call.answer()
            tick()
            if not still_open or (len(still_open) < len(calls) and not for_all):
                return
            _await_news(calls, _TICK_S)
            for call in calls:
                if not call.is_over and switchboard.silence_s(call) > silence_s:
                    raise PeerError(f"device {call.device} has said nothing for {silence_s:g} s; restart its worker")
    except BaseException:
        switchboard.forget(calls)
        raise


def wait_at_most(calls: Sequence[OpenCall], seconds: float) -> None:
    """Wait until all calls, which share their queue, are over, but not for longer."""
    deadline_s = time.monotonic() + seconds
    while not all(call.is_over for call in calls) and (left_s := deadline_s - time.monotonic()) > 0:
        _await_news(calls, left_s)


def _await_news(calls: Sequence[OpenCall], seconds: float) -> None:
    with suppress(queue.Empty):
        calls[0].told.get(timeout=seconds)


def answer_of(call: OpenCall, expected: type[T]) -> T:
    """The answer of a call that has one; PeerError when it is of another kind than expected."""
    answer = call.answer()
    if not isinstance(answer, expected):
        raise PeerError(
            f"device {call.device} answered with {type(answer).__name__} to what asked for {expected.__name__}"
        )
    return answer
