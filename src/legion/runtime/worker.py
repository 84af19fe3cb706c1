"""The worker: a thin shell of threads and sockets around its state machine."""

import collections
import logging
import time

from msgspec.structs import replace

from legion.cluster.device import DeviceInfo
from legion.engine.base import Engine
from legion.engine.pacer import Pacer
from legion.errors import PeerError
from legion.runtime.computer import Computer
from legion.runtime.sender import Sender
from legion.runtime.weights import WeightStore
from legion.runtime.worker_events import (
    AbandonFrame,
    Action,
    CheckPeer,
    ConnectionLost,
    ControlReceived,
    DropWork,
    Event,
    ExecuteBatch,
    FrameDone,
    InstallPlan,
    PeerChecked,
    SendControl,
    StartJob,
    StrangerHeard,
    TensorReceived,
    WorkEvent,
)
from legion.runtime.worker_state import WorkerState
from legion.transport.base import Arrival, ControlArrival, Disconnected, Endpoint, TensorArrival, Transport
from legion.wire.codec import VersionError, decode_tensor, decode_to_worker, encode

_IDLE_S = 1.0
_LAST_INSTRUCTION_S = 5.0
"""How long an instruction that is being computed may still take when the worker is to end."""

_logger = logging.getLogger(__name__)


class Worker:
    """Listens at `address` from the moment it is made; `run` serves until `stop` is called.

    There are three threads: the one that calls `run` receives, one computes, one sends. `pacer` slows
    down the one that computes.

    Raises InputError when the address cannot be had.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a worker is made of
        self,
        transport: Transport,
        address: str,
        info: DeviceInfo,
        engine: Engine,
        store: WeightStore,
        pacer: Pacer | None = None,
    ) -> None:
        self._clock = transport.clock
        self._endpoint: Endpoint = transport.listen(address)
        self._stopped = False
        self._posted: collections.deque[WorkEvent] = collections.deque()
        self._sender = Sender(transport.out_port(), self._clock)
        self._computer = Computer(
            engine, store, self._sender, self._clock, self._post, pacer or Pacer(clock=self._clock)
        )
        self._state = WorkerState(info, self._endpoint.data_port)
        self._cpu_s = 0.0

    @property
    def address(self) -> str:
        """Where controllers greet it, as `host:port`."""
        return self._endpoint.address

    def run(self) -> None:
        """Serve controllers, one after the other, until stopped."""
        try:
            while not self._stopped:
                arrivals = self._endpoint.receive(_IDLE_S)
                for arrival in arrivals:
                    self._handle(self._event(arrival))
                if not arrivals and not self._posted:
                    # A route outlives its connection by a moment, so that one look at it may come too early.
                    self._handle(ConnectionLost())
                while self._posted:
                    self._handle(self._measured(self._posted.popleft()))
        finally:
            self._computer.close(_LAST_INSTRUCTION_S)
            self._sender.close()
            self._endpoint.close()

    def stop(self) -> None:
        """End `run`; may be called from any thread or signal handler."""
        self._stopped = True
        self._endpoint.wake()

    def _post(self, event: WorkEvent) -> None:
        """Called by the computing and the sending thread."""
        self._posted.append(event)
        self._endpoint.wake()

    def _event(self, arrival: Arrival) -> Event:
        """What an arrival means; whatever cannot be read comes from a stranger."""
        peer = arrival.peer if isinstance(arrival, ControlArrival) else None
        try:
            match arrival:
                case ControlArrival():
                    message, payload = decode_to_worker(arrival.frames)
                    return ControlReceived(
                        peer=arrival.peer, message=message, payload=payload, clock_s=arrival.arrived_s
                    )
                case TensorArrival():
                    header, array = decode_tensor(arrival.frames)
                    return TensorReceived(header=header, array=array, arrived_s=arrival.arrived_s)
                case Disconnected():
                    return ConnectionLost()
        except PeerError as exc:
            _logger.warning("dropped a message from %s: %s", peer or "a peer", exc)
            return StrangerHeard(peer=peer, reason=str(exc), other_version=isinstance(exc, VersionError))

    def _measured(self, event: WorkEvent) -> WorkEvent:
        """Adds to a frame's report what this thread has spent since the last one."""
        if not isinstance(event, FrameDone):
            return event
        cpu_s = time.thread_time()
        wire_cpu_s = event.report.wire_cpu_s + cpu_s - self._cpu_s
        self._cpu_s = cpu_s
        return FrameDone(epoch=event.epoch, report=replace(event.report, wire_cpu_s=wire_cpu_s))

    def _handle(self, event: Event) -> None:
        actions = collections.deque(self._state.handle(event))
        while actions:
            actions.extendleft(reversed(self._carry_out(actions.popleft())))

    def _carry_out(self, action: Action) -> list[Action]:
        """Do it, and return what follows from it."""
        match action:
            case SendControl(peer=peer, message=message):
                self._endpoint.send_control(peer, [encode(message)])
            case CheckPeer(peer=peer, message=message):
                reachable = self._endpoint.send_control(peer, [encode(message)])
                return self._state.handle(PeerChecked(peer=peer, reachable=reachable))
            case StartJob() | InstallPlan() | ExecuteBatch():
                self._computer.submit(action)
            case AbandonFrame(frame=frame):
                self._computer.abandon(frame)
            case DropWork(epoch=epoch):
                self._computer.drop(epoch)
        return []
