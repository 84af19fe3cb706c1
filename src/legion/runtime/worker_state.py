"""What a worker does about everything that can happen to it: events in, actions out, no I/O.

One controller at a time holds the worker: that is its lease. Whatever is slow is a job for the
computing thread.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from legion.cluster.device import DeviceInfo
from legion.errors import PeerError
from legion.runtime.execution import Batch, Execution
from legion.runtime.faults import fault_kind
from legion.runtime.worker_events import (
    ALL_FRAMES,
    AbandonFrame,
    Action,
    BatchFailed,
    CheckPeer,
    ConnectionLost,
    ControlReceived,
    DropWork,
    Event,
    ExecuteBatch,
    FrameDone,
    InstallPlan,
    JobDone,
    JobProgressed,
    PeerChecked,
    SendControl,
    StartJob,
    StrangerHeard,
    TensorReceived,
    WorkEvent,
)
from legion.wire.messages import (
    Abandon,
    Begin,
    Busy,
    Failed,
    FrameFailed,
    Goodbye,
    Hello,
    Install,
    Installed,
    LeaseCheck,
    Ping,
    Pong,
    Refused,
    Released,
    Reply,
    Uninstall,
    Welcome,
)
from legion.wire.plans import from_wire


@dataclass(frozen=True, slots=True)
class _Lease:
    """Who holds the worker: the connection, and the controller's name."""

    peer: str
    controller: str


@dataclass(frozen=True, slots=True)
class _Installation:
    """A plan by its id, the request that brought it, and the way through it."""

    request: int
    plan: int
    execution: Execution


class WorkerState:
    """Feed it every event, in order, and carry out the actions that it returns, in order."""

    def __init__(self, info: DeviceInfo, data_port: int) -> None:
        self._info = info
        self._data_port = data_port
        self._lease: _Lease | None = None
        self._waiting: list[_Lease] = []
        """Those who greeted while another held the lease, until it is known whether that one is still there."""
        self._epoch = 0
        self._installing: _Installation | None = None
        self._installed: _Installation | None = None
        self._dropped = 0

    @property
    def controller(self) -> str | None:
        """The name of the controller that holds this worker."""
        return self._lease.controller if self._lease else None

    @property
    def dropped(self) -> int:
        """How many messages belonged to nothing that is known here, since the start."""
        return self._dropped + (self._installed.execution.dropped if self._installed else 0)

    def handle(self, event: Event) -> list[Action]:
        """What is to be done about an event."""
        match event:
            case TensorReceived():
                return self._tensor(event)
            case ControlReceived():
                return self._control(event)
            case StrangerHeard():
                return self._stranger(event)
            case ConnectionLost():
                return self._check_lease()
            case PeerChecked(peer=peer, reachable=reachable):
                return self._checked(peer, reachable=reachable)
            case _:
                return self._work_result(self._lease, event) if self._lease and event.epoch == self._epoch else []

    def _tensor(self, event: TensorReceived) -> list[Action]:
        installed = self._installed
        if installed is None or event.header.plan != installed.plan:
            self._dropped += 1
            return []
        return self._execute(installed.execution.deliver(event.header, event.array, event.arrived_s))

    def _control(self, event: ControlReceived) -> list[Action]:  # noqa: PLR0911 - one line per kind of message
        message = event.message
        if isinstance(message, Hello):
            return self._greeted(_Lease(event.peer, message.controller))
        if self._lease is None or event.peer != self._lease.peer:
            self._dropped += 1
            return []
        match message:
            case Goodbye():
                return [SendControl(peer=event.peer, message=Released()), *self._end_lease()]
            case Ping(request=request):
                return [SendControl(peer=event.peer, message=Pong(request=request, clock_s=event.clock_s))]
            case Install():
                return self._install(event.peer, message)
            case Uninstall():
                return self._drop_work()
            case Begin() | Abandon():
                return self._order(message)
            case _:
                return [StartJob(epoch=self._epoch, request=message, payload=event.payload)]

    def _order(self, order: Begin | Abandon) -> list[Action]:
        if self._installed is None or self._installed.plan != order.plan:
            return []
        if isinstance(order, Begin):
            return self._execute(self._installed.execution.begin(order.frame))
        return self._abandon(self._installed, order.frame)

    def _greeted(self, guest: _Lease) -> list[Action]:
        if self._lease is None or self._lease.peer == guest.peer:
            return self._begin_lease(guest)
        self._waiting.append(guest)
        return self._check_lease()

    def _check_lease(self) -> list[Action]:
        return [CheckPeer(peer=self._lease.peer, message=LeaseCheck())] if self._lease else []

    def _checked(self, peer: str, *, reachable: bool) -> list[Action]:
        actions: list[Action] = []
        if self._lease is not None and self._lease.peer == peer and not reachable:
            actions += self._end_lease()
        waiting, self._waiting = self._waiting, []
        for guest in waiting:
            if self._lease is None:
                actions += self._begin_lease(guest)
            else:
                actions.append(SendControl(peer=guest.peer, message=Busy(controller=self._lease.controller)))
        return actions

    def _begin_lease(self, guest: _Lease) -> list[Action]:
        actions = self._drop_work()
        self._lease = guest
        return [*actions, SendControl(peer=guest.peer, message=Welcome(info=self._info, data_port=self._data_port))]

    def _end_lease(self) -> list[Action]:
        self._lease = None
        return self._drop_work()

    def _drop_work(self) -> list[Action]:
        self._forget_plan()
        self._epoch += 1
        return [DropWork(epoch=self._epoch)]

    def _forget_plan(self) -> None:
        self._dropped = self.dropped
        self._installing = self._installed = None

    def _stranger(self, event: StrangerHeard) -> list[Action]:
        self._dropped += 1
        if event.peer is None or not event.other_version:
            return []
        return [SendControl(peer=event.peer, message=Refused(reason=event.reason))]

    def _install(self, peer: str, install: Install) -> list[Action]:
        self._forget_plan()
        try:
            node_plan = from_wire(install.node_plan)
        except PeerError as exc:
            failed = Failed(request=install.request, kind=fault_kind(exc), message=str(exc))
            return [SendControl(peer=peer, message=failed)]
        execution = Execution(node_plan.program, install.frames_in_flight)
        self._installing = _Installation(install.request, install.plan, execution)
        return [
            AbandonFrame(frame=ALL_FRAMES),
            InstallPlan(
                epoch=self._epoch,
                request=install.request,
                plan=install.plan,
                node_plan=node_plan,
                peers=install.peers,
            ),
        ]

    def _abandon(self, installed: _Installation, frame: int) -> list[Action]:
        return [AbandonFrame(frame=frame), *self._execute(installed.execution.abandon(frame))]

    def _execute(self, batches: list[Batch]) -> list[Action]:
        return [ExecuteBatch(epoch=self._epoch, batch=batch) for batch in batches]

    def _work_result(self, lease: _Lease, event: WorkEvent) -> list[Action]:
        match event:
            case JobProgressed(message=message):
                return [SendControl(peer=lease.peer, message=message)]
            case JobDone(reply=reply):
                self._note_installed(reply)
                return [SendControl(peer=lease.peer, message=reply)]
            case FrameDone(report=report):
                return [SendControl(peer=lease.peer, message=replace(report, dropped=self.dropped))]
            case BatchFailed(plan=plan, frame=frame, error=error):
                failed = FrameFailed(plan=plan, frame=frame, kind=fault_kind(error), message=str(error))
                return [
                    SendControl(peer=lease.peer, message=failed),
                    *self._order(Abandon(plan=plan, frame=frame)),
                ]

    def _note_installed(self, reply: Reply) -> None:
        if self._installing is not None and reply.request == self._installing.request:
            if isinstance(reply, Installed):
                self._installed = self._installing
            self._installing = None
