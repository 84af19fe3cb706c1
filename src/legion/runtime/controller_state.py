"""What a controller does about everything that can happen to it: events in, actions out, no I/O.

It knows of each device whether it is there and which calls to it are open, and takes its own part in
the frames of the plan in use.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from legion.errors import LegionError, PeerError
from legion.plan.scheme import CONTROLLER
from legion.runtime.controller_events import (
    AbandonRun,
    Action,
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
    RunFailed,
    SendControl,
    StopWork,
    TensorReceived,
    UsePlan,
)
from legion.runtime.execution import Batch, Execution
from legion.runtime.faults import remote_error
from legion.wire.messages import (
    Abandon,
    Begin,
    Busy,
    Failed,
    FrameFailed,
    FrameReport,
    Goodbye,
    Hello,
    LeaseCheck,
    Progress,
    Refused,
    Released,
    Reply,
    Uninstall,
    Welcome,
)

Status = Literal["unknown", "greeting", "ready", "lost"]


@dataclass(slots=True)
class _Device:
    """Where we stand with a device, and the calls that it has not answered yet."""

    status: Status = "unknown"
    calls: dict[int, Call] = field(default_factory=dict[int, Call])


@dataclass(frozen=True, slots=True)
class _PlanInUse:
    """The plan whose frames are run, and the controller's way through it."""

    plan: UsePlan
    execution: Execution


class ControllerState:
    """Feed it every event, in order, and carry out the actions that it returns, in order."""

    def __init__(self, devices: Iterable[str]) -> None:
        self._devices = {name: _Device() for name in devices}
        self._in_use: _PlanInUse | None = None
        self._running: int | None = None
        self._dropped = 0

    def status(self, device: str) -> Status:
        """Where we stand with a device."""
        return self._devices[device].status

    @property
    def dropped(self) -> int:
        """How many messages belonged to nothing that is known here."""
        return self._dropped + (self._in_use.execution.dropped if self._in_use else 0)

    def handle(self, event: Event) -> list[Action]:  # noqa: PLR0911 - one line per kind of event
        """What is to be done about an event."""
        match event:
            case TensorReceived():
                return self._tensor(event)
            case AnswerReceived():
                return self._answer(event)
            case Call():
                return self._call(event)
            case ForgetCall(number=number):
                return self._forget(number)
            case StopWork(device=device):
                return self._stop_work(device)
            case UsePlan():
                self._dropped = self.dropped
                self._in_use = _PlanInUse(event, Execution(event.program, event.frames_in_flight))
                self._running = None
                return []
            case BeginFrame(frame=frame):
                return self._begin(frame)
            case AbandonRun(frame=frame):
                return self._abandon(frame)
            case OwnFrameDone(report=report):
                return [NodeReported(node=CONTROLLER, report=replace(report, dropped=self.dropped))]
            case NonsenseReceived():
                return self._nonsense(event)
            case DeviceLost(device=device):
                return self._lost(device)

    def _call(self, call: Call) -> list[Action]:
        device = self._devices[call.device]
        if isinstance(call.request, Hello):
            device.status = "greeting"
        elif device.status != "ready":
            return [CallFailed(number=call.number, error=_gone(call.device))]
        device.calls[call.number] = call
        return [_say(call)]

    def _forget(self, number: int) -> list[Action]:
        for device in self._devices.values():
            call = device.calls.pop(number, None)
            if call is not None and isinstance(call.request, Hello):
                device.status = "unknown"
        return []

    def _stop_work(self, name: str) -> list[Action]:
        if self._devices[name].status != "ready":
            return []
        broken_off = PeerError(f"what device {name} was asked for has been broken off")
        return [SendControl(device=name, message=Uninstall()), *self._fail_calls(name, "ready", broken_off)]

    def _answer(self, event: AnswerReceived) -> list[Action]:  # noqa: PLR0911 - one line per kind of message
        device, message = event.device, event.message
        match message:
            case Welcome():
                return self._settle(device, Hello, "ready", message, event.arrived_s)
            case Busy(controller=controller):
                error = PeerError(f"device {device} is in use by controller {controller}; wait for it or stop it")
                return self._fail_calls(device, "unknown", error)
            case Refused(reason=reason):
                return self._fail_calls(device, "unknown", PeerError(f"device {device}: {reason}"))
            case Released():
                return self._settle(device, Goodbye, "unknown", message, event.arrived_s)
            case FrameReport() | FrameFailed():
                return self._frame_news(device, message)
            case LeaseCheck():
                return []
            case Progress(request=number, fraction=fraction):
                open_calls = self._devices[device].calls
                return [CallProgressed(number=number, fraction=fraction)] if number in open_calls else []
            case _:
                return self._reply(device, message, event.arrived_s)

    def _settle(
        self, name: str, asked: type[Hello | Goodbye], status: Status, answer: Welcome | Released, arrived_s: float
    ) -> list[Action]:
        """Answer the calls that greeted or took leave, and note where we stand now."""
        device = self._devices[name]
        settled = [number for number, call in device.calls.items() if isinstance(call.request, asked)]
        if settled:
            device.status = status
        for number in settled:
            del device.calls[number]
        return [CallAnswered(number=number, answer=answer, arrived_s=arrived_s) for number in settled]

    def _reply(self, device: str, reply: Reply, arrived_s: float) -> list[Action]:
        call = self._devices[device].calls.pop(reply.request, None)
        if call is None:
            return []
        if isinstance(reply, Failed):
            return [CallFailed(number=call.number, error=remote_error(device, reply.kind, reply.message))]
        return [CallAnswered(number=call.number, answer=reply, arrived_s=arrived_s)]

    def _fail_calls(self, name: str, status: Status, error: LegionError) -> list[Action]:
        device = self._devices[name]
        device.status = status
        failed = list(device.calls)
        device.calls.clear()
        return [CallFailed(number=number, error=error) for number in failed]

    def _nonsense(self, event: NonsenseReceived) -> list[Action]:
        self._dropped += 1
        name = event.device
        if name is None or self._devices[name].status != "greeting":
            return []
        return self._fail_calls(name, "unknown", PeerError(f"device {name}: {event.reason}"))

    def _lost(self, name: str) -> list[Action]:
        device = self._devices[name]
        if device.status == "greeting":
            # The connection is tried anew, but what was said on the old one may be gone.
            return [_say(call) for call in device.calls.values()]
        if device.status != "ready":
            return []
        actions = self._fail_calls(name, "lost", _gone(name))
        if self._in_use is not None and self._running is not None and name in self._in_use.plan.devices:
            actions += self._fail_run(self._running, _gone(name))
        return actions

    def _begin(self, frame: int) -> list[Action]:
        if self._in_use is None:
            return []
        plan = self._in_use.plan
        self._running = frame
        for name in plan.devices:
            if self._devices[name].status != "ready":
                return self._fail_run(frame, _gone(name))
        begin = Begin(plan=plan.plan, frame=frame)
        return [
            *(SendControl(device=name, message=begin) for name in plan.self_starting),
            *self._execute(self._in_use.execution.begin(frame)),
        ]

    def _tensor(self, event: TensorReceived) -> list[Action]:
        if self._in_use is None or event.header.plan != self._in_use.plan.plan:
            self._dropped += 1
            return []
        return self._execute(self._in_use.execution.deliver(event.header, event.array, event.arrived_s))

    def _frame_news(self, device: str, news: FrameReport | FrameFailed) -> list[Action]:
        if self._in_use is None or news.plan != self._in_use.plan.plan:
            return []
        if isinstance(news, FrameReport):
            return [NodeReported(node=device, report=news)]
        return self._fail_run(news.frame, remote_error(device, news.kind, news.message))

    def _fail_run(self, frame: int, error: LegionError) -> list[Action]:
        if frame != self._running:
            return []
        return [RunFailed(frame=frame, error=error), *self._abandon(frame)]

    def _abandon(self, frame: int) -> list[Action]:
        """Give up a frame, which may not even have begun, unless that was done before."""
        if self._in_use is None or (frame != self._running and frame < self._in_use.execution.frame):
            return []
        self._running = None
        abandon = Abandon(plan=self._in_use.plan.plan, frame=frame)
        ready = [name for name in self._in_use.plan.devices if self._devices[name].status == "ready"]
        return [
            *(SendControl(device=name, message=abandon) for name in ready),
            *self._execute(self._in_use.execution.abandon(frame)),
        ]

    @staticmethod
    def _execute(batches: list[Batch]) -> list[Action]:
        return [ExecuteBatch(batch=batch) for batch in batches]


def _say(call: Call) -> SendControl:
    return SendControl(device=call.device, message=call.request, payload=call.payload)


def _gone(device: str) -> PeerError:
    return PeerError(f"device {device} is not connected, or its connection ended; restart its worker or leave it out")
