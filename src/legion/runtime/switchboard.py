"""The controller's receiving thread: a thin shell of a thread and sockets around its state machine."""

import collections
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from legion.errors import InternalError, LegionError, PeerError
from legion.runtime.controller_events import (
    Action,
    Answer,
    AnswerReceived,
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
    TensorReceived,
)
from legion.runtime.controller_state import ControllerState
from legion.transport.base import Arrival, ControlArrival, Endpoint, TensorArrival
from legion.wire.codec import decode_tensor, decode_to_controller, encode
from legion.wire.messages import Hello, Ping, PutWeight

_IDLE_S = 1.0

_logger = logging.getLogger(__name__)

FrameEvent = ExecuteBatch | RunFailed | NodeReported


class OpenCall:
    """A call to a device, until it is answered. `fraction` tells how far the device says it is.

    It is put into the queue `told` when it is over; calls that are waited for together share theirs. The caller and the
    receiving thread hold no lock in common, since a Ctrl-C may leave one locked.
    """

    def __init__(self, number: int, device: str, now_s: float, told: "Told") -> None:
        self.number = number
        self.device = device
        self.told = told
        self.fraction = 0.0
        self.heard_s = now_s
        self.asked_s = now_s
        self.answered_s = now_s
        self.outcome: Answer | LegionError | None = None

    @property
    def is_over(self) -> bool:
        """Whether it was answered, or has failed."""
        return self.outcome is not None

    def answer(self) -> Answer:
        """What the device answered. Raises the error of a call that failed."""
        if self.outcome is None:
            raise InternalError(f"device {self.device} has not answered yet")
        if isinstance(self.outcome, LegionError):
            raise self.outcome
        return self.outcome

    def end(self, outcome: Answer | LegionError) -> None:
        """Called by the receiving thread: this came of it."""
        self.outcome = outcome
        self.told.put(self)


Told = queue.SimpleQueue[OpenCall]


class Switchboard:
    """Owns the endpoint and the thread that receives from it. All methods may be called from any other thread.

    `frame_event` is called, on that thread, with what happens to frames.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        devices: Iterable[str],
        clock: Callable[[], float],
        frame_event: Callable[[FrameEvent], None],
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._frame_event = frame_event
        self._state = ControllerState(devices)
        self._posted: collections.deque[Event] = collections.deque()
        self._calls: dict[int, OpenCall] = {}
        self._numbers = itertools.count(1)
        self._stopped = False
        self._cpu_s = 0.0
        self._thread = threading.Thread(target=self._receive, name="receiver", daemon=True)
        self._thread.start()

    def is_ready(self, device: str) -> bool:
        """Whether the device is ours and there."""
        return self._state.status(device) == "ready"

    def post(self, event: Event) -> None:
        """Let an event happen."""
        self._posted.append(event)
        self._endpoint.wake()

    def call(
        self,
        device: str,
        request: Callable[[int], Request],
        payload: bytes | memoryview = b"",
        told: Told | None = None,
    ) -> OpenCall:
        """Ask a device for something; `request` makes the message with the number of the call.

        When it is over, the call is put into `told`, which calls that are waited for together share.
        """
        number = next(self._numbers)
        opened = self._calls[number] = OpenCall(number, device, self._clock(), told or queue.SimpleQueue())
        self.post(Call(number=number, device=device, request=request(number), payload=payload))
        return opened

    def call_all(self, requests: Mapping[str, Callable[[int], Request]]) -> list[OpenCall]:
        """Ask each of these devices for something, to be waited for together."""
        told: Told = queue.SimpleQueue()
        return [self.call(device, request, told=told) for device, request in requests.items()]

    def silence_s(self, call: OpenCall) -> float:
        """How long ago the device has said something about this call."""
        return self._clock() - call.heard_s

    def forget(self, calls: Iterable[OpenCall]) -> None:
        """Do not wait for these calls any more."""
        for call in calls:
            self._calls.pop(call.number, None)
            self.post(ForgetCall(number=call.number))

    def close(self) -> None:
        """End the thread and close the endpoint."""
        self._stopped = True
        self._endpoint.wake()
        self._thread.join()
        self._endpoint.close()

    def _receive(self) -> None:
        while not self._stopped:
            for arrival in self._endpoint.receive(_IDLE_S):
                self._handle(self._event(arrival))
            while self._posted:
                self._handle(self._posted.popleft())

    def _event(self, arrival: Arrival) -> Event:
        """What an arrival means; what cannot be read is nonsense."""
        device = arrival.peer if isinstance(arrival, ControlArrival) else None
        try:
            match arrival:
                case ControlArrival():
                    message = decode_to_controller(arrival.frames)
                    return AnswerReceived(device=arrival.peer, message=message, arrived_s=arrival.arrived_s)
                case TensorArrival():
                    header, array = decode_tensor(arrival.frames)
                    return TensorReceived(header=header, array=array, arrived_s=arrival.arrived_s)
                case _:
                    return DeviceLost(device=arrival.peer or "")
        except PeerError as exc:
            _logger.warning("dropped a message from %s: %s", device or "a peer", exc)
            return NonsenseReceived(device=device, reason=str(exc))

    def _handle(self, event: Event) -> None:
        if isinstance(event, OwnFrameDone):
            event = self._measured(event)
        for action in self._state.handle(event):
            self._carry_out(action)

    def _measured(self, event: OwnFrameDone) -> OwnFrameDone:
        """Adds to a frame's report what this thread has spent since the last one."""
        cpu_s = time.thread_time()
        wire_cpu_s = event.report.wire_cpu_s + cpu_s - self._cpu_s
        self._cpu_s = cpu_s
        return OwnFrameDone(report=replace(event.report, wire_cpu_s=wire_cpu_s))

    def _carry_out(self, action: Action) -> None:
        match action:
            case SendControl(device=device, message=message, payload=payload):
                if isinstance(message, Ping) and (call := self._calls.get(message.request)):
                    call.asked_s = self._clock()
                frames = [encode(message), payload] if isinstance(message, PutWeight) else [encode(message)]
                # Who does not come to be greeted is waited for, and not greeted without end.
                if not self._endpoint.send_control(device, frames) and not isinstance(message, Hello):
                    self.post(DeviceLost(device=device))
            case CallAnswered() | CallProgressed() | CallFailed():
                self._settle(action)
            case ExecuteBatch() | RunFailed() | NodeReported():
                self._frame_event(action)

    def _settle(self, action: CallAnswered | CallProgressed | CallFailed) -> None:
        call = self._calls.get(action.number)
        if call is None:
            return
        call.heard_s = self._clock()
        match action:
            case CallProgressed(fraction=fraction):
                call.fraction = fraction
            case CallAnswered(answer=answer, arrived_s=arrived_s):
                self._calls.pop(action.number, None)
                call.fraction, call.answered_s = 1.0, arrived_s
                call.end(answer)
            case CallFailed(error=error):
                self._calls.pop(action.number, None)
                call.end(error)
