"""What can happen to a worker, and what it can be told to do: the two ends of its state machine.

Work is started under an `epoch`; what comes of an epoch that has passed is void.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from legion.errors import LegionError
from legion.model.model import Array
from legion.plan.executable import NodePlan
from legion.runtime.execution import Batch
from legion.wire.messages import (
    FrameReport,
    LeaseCheck,
    ProbeLayers,
    ProbeProcessor,
    Progress,
    PutWeight,
    QueryWeights,
    Reply,
    TensorHeader,
    ToController,
    ToWorker,
)

JobRequest = QueryWeights | PutWeight | ProbeLayers | ProbeProcessor
ALL_FRAMES = 1 << 62
"""Later than any frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReceived:
    """A controller said something."""

    peer: str
    message: ToWorker
    payload: bytes | memoryview
    clock_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerHeard:
    """Something came that is no message of this protocol version; `reason` says what is wrong."""

    peer: str | None
    reason: str
    other_version: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorReceived:
    """A tensor arrived."""

    header: TensorHeader
    array: Array
    arrived_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost:
    """Some controller's connection ended, or may have; it is not known whose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerChecked:
    """The answer to CheckPeer: whether a message could be sent."""

    peer: str
    reachable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgressed:
    """A job has something to tell before it ends."""

    epoch: int
    message: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDone:
    """A job ended; `reply` is for the controller."""

    epoch: int
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameDone:
    """The part of a frame that is this node's has ended, and all it sent is out."""

    epoch: int
    report: FrameReport


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFailed:
    """Executing a frame raised this."""

    epoch: int
    plan: int
    frame: int
    error: LegionError


WorkEvent = JobProgressed | JobDone | FrameDone | BatchFailed
Event = ControlReceived | StrangerHeard | TensorReceived | ConnectionLost | PeerChecked | WorkEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class SendControl:
    """Say this to a peer."""

    peer: str
    message: ToController


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPeer:
    """Send the message, and come back with PeerChecked."""

    peer: str
    message: LeaseCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class StartJob:
    """Queue this request for the computing thread."""

    epoch: int
    request: JobRequest
    payload: bytes | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPlan:
    """Queue the making ready of this plan for the computing thread."""

    epoch: int
    request: int
    plan: int
    node_plan: NodePlan
    peers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteBatch:
    """Queue these instructions of the installed plan for the computing thread."""

    epoch: int
    batch: Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonFrame:
    """Stop executing and sending this frame and those before it, at once."""

    frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropWork:
    """Stop all jobs, batches and sends of earlier epochs at once, and free what they hold."""

    epoch: int


Action = SendControl | CheckPeer | StartJob | InstallPlan | ExecuteBatch | AbandonFrame | DropWork
