"""Waiting for calls that are answered by another thread, late, never, or with an error."""

import queue
import threading
import time
from collections.abc import Iterable
from typing import cast

import pytest

from legion.errors import PeerError
from legion.runtime.calls import answer_of, wait_at_most, wait_for
from legion.runtime.switchboard import OpenCall, Switchboard, Told
from legion.wire.messages import Pong

LONG_S = 60.0
"""What nothing here should wait for."""

PONG = Pong(request=1, clock_s=0.0)


class Board:
    """A switchboard on which all devices were heard of just now, or long ago."""

    def __init__(self, silence_s: float = 0.0) -> None:
        self.silent_s = silence_s
        self.forgotten: list[OpenCall] = []

    def silence_s(self, _: OpenCall) -> float:
        return self.silent_s

    def forget(self, calls: Iterable[OpenCall]) -> None:
        self.forgotten += calls


def opened(count: int) -> list[OpenCall]:
    told: Told = queue.SimpleQueue()
    return [OpenCall(number, f"pi-{number}", 0.0, told) for number in range(count)]


def wait(board: Board, calls: list[OpenCall], *, for_all: bool = True) -> None:
    wait_for(cast("Switchboard", board), calls, 1.0, for_all=for_all)


def test_waiting_ends_with_the_last_answer() -> None:
    calls = opened(3)
    for number, call in enumerate(calls):
        threading.Timer(0.05 * number, call.end, [PONG]).start()
    begun_s = time.monotonic()
    wait_at_most(calls, LONG_S)
    assert time.monotonic() - begun_s < LONG_S / 2
    assert [answer_of(call, Pong) for call in calls] == [PONG] * 3


def test_waiting_ends_with_the_time_too() -> None:
    calls = opened(2)
    calls[0].end(PONG)
    wait_at_most(calls, 0.01)
    assert [call.is_over for call in calls] == [True, False]


def test_one_answer_is_enough_where_not_all_are_asked_for() -> None:
    calls, board = opened(2), Board()
    calls[1].end(PONG)
    wait(board, calls, for_all=False)
    calls[0].end(PONG)
    wait(board, calls)
    assert board.forgotten == []


def test_a_failure_is_raised_and_all_are_forgotten() -> None:
    calls, board = opened(2), Board()
    threading.Timer(0.05, calls[1].end, [PeerError("pi-1 is gone")]).start()
    with pytest.raises(PeerError, match="pi-1 is gone"):
        wait(board, calls)
    assert board.forgotten == calls


def test_one_that_says_nothing_is_given_up() -> None:
    calls, board = opened(1), Board(silence_s=2.0)
    with pytest.raises(PeerError, match="pi-0 has said nothing"):
        wait(board, calls)
    assert board.forgotten == calls
