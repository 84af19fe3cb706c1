"""The controller's state machine, driven by events alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.errors import InputError, PeerError
from legion.geometry.box import Box
from legion.plan.program import Program, Receive, Send
from legion.runtime.controller_events import (
    AbandonRun,
    AnswerReceived,
    BeginFrame,
    Call,
    CallAnswered,
    CallFailed,
    CallProgressed,
    DeviceLost,
    Event,
    ExecuteBatch,
    ForgetCall,
    NodeReported,
    NonsenseReceived,
    OwnFrameDone,
    Request,
    RunFailed,
    SendControl,
    StopWork,
    TensorReceived,
    UsePlan,
)
from legion.runtime.controller_state import ControllerState
from legion.wire.messages import (
    Abandon,
    Begin,
    Busy,
    Failed,
    FrameFailed,
    Goodbye,
    Hello,
    LeaseCheck,
    Ping,
    Pong,
    Progress,
    Refused,
    Released,
    TensorHeader,
    ToController,
    Uninstall,
    Welcome,
)
from support.messages import INFO, frame_report

WELCOME = Welcome(info=INFO, data_port=9)
HELLO = Hello(controller="me")
BOX = Box(((0, 1),))
PROGRAM = Program(
    node="controller",
    instructions=(Send(tensor="x", box=BOX, destination="a"), Receive(tensor="y", box=BOX, source="b")),
)
USE = UsePlan(plan=7, program=PROGRAM, devices=("a", "b"), self_starting=("b",), frames_in_flight=2)
REPORT = frame_report()


def call(device: str, number: int, request: Request) -> Call:
    return Call(number=number, device=device, request=request)


def heard(device: str, message: ToController) -> AnswerReceived:
    return AnswerReceived(device=device, message=message, arrived_s=2.0)


def tensor(plan: int = 7, frame: int = 0) -> TensorReceived:
    header = TensorHeader(plan, "b", "y", BOX, "float32", (1,), frame)
    return TensorReceived(header=header, array=np.zeros(1, np.float32), arrived_s=3.0)


def connected() -> ControllerState:
    state = ControllerState(["a", "b"])
    for number, device in enumerate("ab"):
        state.handle(call(device, number, HELLO))
        state.handle(heard(device, WELCOME))
    return state


def running() -> ControllerState:
    state = connected()
    state.handle(USE)
    state.handle(BeginFrame(frame=0))
    return state


def test_greeting_and_farewell() -> None:
    state = ControllerState(["a"])
    assert state.handle(call("a", 1, HELLO)) == [SendControl(device="a", message=HELLO)]
    assert state.status("a") == "greeting"
    assert state.handle(heard("a", WELCOME)) == [CallAnswered(number=1, answer=WELCOME, arrived_s=2.0)]
    assert state.status("a") == "ready"
    state.handle(call("a", 2, Goodbye()))
    assert state.handle(heard("a", Released())) == [CallAnswered(number=2, answer=Released(), arrived_s=2.0)]
    assert state.status("a") == "unknown"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (heard("a", Busy(controller="bob")), "device a is in use by controller bob"),
        (heard("a", Refused(reason="because")), "device a: because"),
        (NonsenseReceived(device="a", reason="version 9"), "device a: version 9"),
    ],
)
def test_a_greeting_that_fails(event: Event, words: str) -> None:
    state = ControllerState(["a"])
    state.handle(call("a", 1, HELLO))
    (failed,) = state.handle(event)
    assert isinstance(failed, CallFailed)
    assert isinstance(failed.error, PeerError)
    assert words in str(failed.error)
    assert state.status("a") == "unknown"


def test_a_connection_lost_while_greeting_is_greeted_again() -> None:
    state = ControllerState(["a"])
    state.handle(call("a", 1, HELLO))
    assert state.handle(DeviceLost(device="a")) == [SendControl(device="a", message=HELLO)]


def test_calls_to_those_that_are_not_there_fail() -> None:
    (failed,) = ControllerState(["a"]).handle(call("a", 1, Ping(request=1)))
    assert isinstance(failed, CallFailed)
    assert "device a is not connected" in str(failed.error)


def test_calls_are_answered_once_by_whom_they_asked() -> None:
    state, pong = connected(), Pong(request=5, clock_s=1.0)
    state.handle(call("a", 5, Ping(request=5)))
    assert state.handle(heard("b", pong)) == []
    assert state.handle(heard("a", Progress(request=5, fraction=0.5))) == [CallProgressed(number=5, fraction=0.5)]
    assert state.handle(heard("a", pong)) == [CallAnswered(number=5, answer=pong, arrived_s=2.0)]
    assert state.handle(heard("a", pong)) == []
    assert state.handle(heard("a", Progress(request=5, fraction=0.5))) == []


def test_a_failure_keeps_its_kind_and_gets_the_devices_name() -> None:
    state = connected()
    state.handle(call("a", 5, Ping(request=5)))
    (failed,) = state.handle(heard("a", Failed(request=5, kind="InputError", message="m")))
    assert isinstance(failed, CallFailed)
    assert isinstance(failed.error, InputError)
    assert str(failed.error) == "device a: m"


def test_forgotten_calls_are_not_answered() -> None:
    state = connected()
    state.handle(call("a", 5, Ping(request=5)))
    state.handle(ForgetCall(number=5))
    assert state.handle(heard("a", Pong(request=5, clock_s=1.0))) == []
    fresh = ControllerState(["a"])
    fresh.handle(call("a", 1, HELLO))
    fresh.handle(ForgetCall(number=1))
    assert fresh.handle(heard("a", WELCOME)) == []
    assert fresh.status("a") == "unknown"


def test_a_lost_device_fails_its_calls_and_the_frame_and_the_others_are_told() -> None:
    state = running()
    state.handle(call("b", 5, Ping(request=5)))
    actions = state.handle(DeviceLost(device="b"))
    assert [type(each) for each in actions] == [CallFailed, RunFailed, SendControl]
    assert isinstance(actions[1], RunFailed)
    assert "device b" in str(actions[1].error)
    assert actions[2] == SendControl(device="a", message=Abandon(plan=7, frame=0))
    assert state.status("b") == "lost"
    (failed,) = state.handle(BeginFrame(frame=1))[:1]
    assert isinstance(failed, RunFailed)
    assert failed.frame == 1


def test_a_frame_from_its_beginning_to_its_end() -> None:
    state = connected()
    state.handle(USE)
    begin, first = state.handle(BeginFrame(frame=0))
    assert begin == SendControl(device="b", message=Begin(plan=7, frame=0))
    assert isinstance(first, ExecuteBatch)
    assert (first.batch.first, first.batch.last) == (0, 1)
    (last,) = state.handle(tensor())
    assert isinstance(last, ExecuteBatch)
    assert last.batch.ends_frame
    assert state.handle(heard("a", REPORT)) == [NodeReported(node="a", report=REPORT)]
    (own,) = state.handle(OwnFrameDone(report=REPORT))
    assert isinstance(own, NodeReported)
    assert own.node == "controller"


def test_a_failed_frame_is_abandoned_everywhere_once() -> None:
    state = running()
    failed, *told = state.handle(heard("a", FrameFailed(plan=7, frame=0, kind="InternalError", message="m")))
    assert isinstance(failed, RunFailed)
    assert told == [SendControl(device=name, message=Abandon(plan=7, frame=0)) for name in "ab"]
    assert state.handle(heard("b", FrameFailed(plan=7, frame=0, kind="InternalError", message="m"))) == []
    assert state.handle(AbandonRun(frame=0)) == []
    assert state.handle(tensor(frame=0)) == []
    assert state.dropped == 1
    assert isinstance(state.handle(BeginFrame(frame=1))[1], ExecuteBatch)


def test_a_frame_that_was_given_up_before_it_began_is_skipped() -> None:
    state = running()
    state.handle(tensor())
    assert state.handle(AbandonRun(frame=1)) == [
        SendControl(device=name, message=Abandon(plan=7, frame=1)) for name in "ab"
    ]
    _, first = state.handle(BeginFrame(frame=2))
    assert isinstance(first, ExecuteBatch)
    assert first.batch.frame == 2


def test_a_new_plan_has_no_frame_that_could_fail() -> None:
    state = running()
    state.handle(USE)
    assert state.handle(DeviceLost(device="b")) == []


def test_what_belongs_to_nothing_is_dropped_and_counted() -> None:
    state = running()
    assert state.handle(tensor(plan=8)) == []
    assert state.handle(NonsenseReceived(device="a", reason="")) == []
    assert state.handle(NonsenseReceived(device=None, reason="")) == []
    assert state.dropped == 3
    assert state.status("a") == "ready"
    assert state.handle(heard("a", LeaseCheck())) == []
    assert ControllerState(["a"]).handle(tensor()) == []


def test_stopping_work_is_said_to_those_that_are_there() -> None:
    state = connected()
    assert state.handle(StopWork(device="a")) == [SendControl(device="a", message=Uninstall())]
    state.handle(call("a", 5, Ping(request=5)))
    told, failed = state.handle(StopWork(device="a"))
    assert told == SendControl(device="a", message=Uninstall())
    assert isinstance(failed, CallFailed)
    assert failed.number == 5
    assert state.status("a") == "ready"
    assert ControllerState(["a"]).handle(StopWork(device="a")) == []


DEVICES = st.sampled_from(["a", "b"])
NUMBERS = st.integers(0, 3)
FRAMES = st.integers(0, 3)


def frame_events() -> st.SearchStrategy[Event]:
    failure = st.builds(FrameFailed, plan=st.just(7), frame=FRAMES, kind=st.just("PeerError"), message=st.just("m"))
    answers = st.one_of(
        st.sampled_from([WELCOME, Busy(controller="c"), Released(), REPORT]),
        st.builds(Pong, request=NUMBERS, clock_s=st.just(0.0)),
        failure,
    )
    requests = st.one_of(st.just(HELLO), st.just(Goodbye()), st.builds(Ping, request=NUMBERS))
    return st.one_of(
        st.builds(heard, DEVICES, answers),
        st.builds(call, DEVICES, NUMBERS, requests),
        st.builds(ForgetCall, number=NUMBERS),
        st.builds(DeviceLost, device=DEVICES),
        st.builds(BeginFrame, frame=FRAMES),
        st.builds(AbandonRun, frame=FRAMES),
        st.builds(tensor, st.sampled_from([7, 8]), FRAMES),
        st.just(USE),
    )


@given(st.lists(frame_events(), max_size=40))
def test_any_order_of_events_settles_open_calls_only(events: list[Event]) -> None:
    state = connected()
    open_calls: set[int] = set()
    for event in events:
        if isinstance(event, Call):
            open_calls.add(event.number)
        if isinstance(event, ForgetCall):
            open_calls.discard(event.number)
        for action in state.handle(event):
            if isinstance(action, CallAnswered | CallFailed):
                assert action.number in open_calls
