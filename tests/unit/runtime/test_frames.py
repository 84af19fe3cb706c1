"""The controller's frames over its state machine, with devices of which the test says what they do."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from legion.errors import PeerError
from legion.geometry.box import Box
from legion.plan.executable import messages_alone
from legion.plan.program import Receive, Send
from legion.runtime.controller_events import (
    AnswerReceived,
    BeginFrame,
    Call,
    DeviceLost,
    Event,
    ExecuteBatch,
    NodeReported,
    RunFailed,
    TensorReceived,
)
from legion.runtime.controller_state import ControllerState
from legion.runtime.frames import Frames
from legion.runtime.sender import Sender
from legion.transport.memory import MemoryNetwork
from legion.wire.messages import Hello, TensorHeader, Welcome
from support.messages import INFO, frame_report

BOX = Box(((0, 1),))
PLAN = messages_alone(
    {
        "controller": [Receive(tensor="x", box=BOX, source="a")],
        "a": [Send(tensor="x", box=BOX, destination="controller")],
    }
)
LONG_S = 60.0
"""What nothing here should wait for."""


class Board:
    """A switchboard without threads, and a device that sends its tensor, and reports unless it is told not to."""

    def __init__(self) -> None:
        self.state = ControllerState(["a"])
        self.take: Callable[[ExecuteBatch | RunFailed | NodeReported], None] = lambda _: None
        self.reports = True
        self.post(Call(number=1, device="a", request=Hello(controller="me")))
        self.post(AnswerReceived(device="a", message=Welcome(info=INFO, data_port=9), arrived_s=0.0))

    def post(self, event: Event) -> None:
        for action in self.state.handle(event):
            if isinstance(action, ExecuteBatch | RunFailed | NodeReported):
                self.take(action)
        if isinstance(event, BeginFrame):
            header = TensorHeader(7, "a", "x", BOX, "float32", (1,), event.frame)
            self.post(TensorReceived(header=header, array=np.ones(1, np.float32), arrived_s=0.0))
            if self.reports:
                self.report(event.frame)

    def report(self, frame: int) -> None:
        self.post(AnswerReceived(device="a", message=frame_report(frame=frame), arrived_s=0.0))


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def frames(board: Board) -> Iterator[Frames]:
    sender = Sender(MemoryNetwork().out_port(), time.perf_counter)
    made = Frames(7, PLAN, board, sender, time.perf_counter)  # pyright: ignore[reportArgumentType]
    board.take = made.take
    made.use()
    yield made
    sender.close()


@pytest.fixture(autouse=True)
def promptly() -> Iterator[None]:
    begun_s = time.monotonic()
    yield
    assert time.monotonic() - begun_s < LONG_S / 2


def run(frames: Frames) -> None:
    assert frames.run({}, ["x"], LONG_S)["x"] == 1


def test_frames_and_their_reports(frames: Frames) -> None:
    for number in range(5):
        run(frames)
        assert {name: report.frame for name, report in frames.last_reports(LONG_S).items()} == {
            "a": number,
            "controller": number,
        }
    assert len(frames._reports) <= 3


def test_a_device_that_is_lost_before_it_reports_is_named(frames: Frames, board: Board) -> None:
    board.reports = False
    run(frames)
    board.post(DeviceLost(device="a"))
    with pytest.raises(PeerError, match="device a is not connected"):
        frames.last_reports(LONG_S)


def test_one_that_does_not_report_is_waited_for_once(frames: Frames, board: Board) -> None:
    board.reports = False
    run(frames)
    with pytest.raises(PeerError, match="a did not report the frame's end"):
        frames.last_reports(0.01)
    run(frames)
    run(frames)
    with pytest.raises(PeerError, match="a did not report the frame's end"):
        frames.run({}, ["x"], 0.01)
    board.reports = True
    for _ in range(4):
        run(frames)


def test_no_report_is_waited_for_that_an_interrupt_took_along(frames: Frames, board: Board) -> None:
    class Interrupted:
        def get(self, **_: float) -> None:
            frames._inbox = inbox
            inbox.get()
            raise KeyboardInterrupt

    board.reports = False
    run(frames)
    board.report(0)
    inbox, frames._inbox = frames._inbox, Interrupted()  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(KeyboardInterrupt):
        frames.last_reports(LONG_S)
    board.reports = True
    for _ in range(4):
        run(frames)


def test_a_frame_that_was_interrupted_before_it_began_is_skipped(
    frames: Frames, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = board.post

    def interrupt(event: Event) -> None:
        if isinstance(event, BeginFrame):
            raise KeyboardInterrupt
        post(event)

    run(frames)
    with monkeypatch.context() as patch:
        patch.setattr(board, "post", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(frames)
    for _ in range(4):
        run(frames)
