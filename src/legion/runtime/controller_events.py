"""What can happen to a controller, and what it can be told to do: the two ends of its state machine."""

from dataclasses import dataclass

from legion.errors import LegionError
from legion.model.model import Array
from legion.plan.program import Program
from legion.runtime.execution import Batch
from legion.wire.messages import (
    FrameReport,
    Goodbye,
    Hello,
    Install,
    Ping,
    ProbeLayers,
    ProbeProcessor,
    PutWeight,
    QueryWeights,
    Released,
    Reply,
    TensorHeader,
    ToController,
    ToWorker,
    Welcome,
)

Request = Hello | Goodbye | Ping | QueryWeights | PutWeight | Install | ProbeLayers | ProbeProcessor
Answer = Reply | Welcome | Released


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Ask a device for something; CallAnswered or CallFailed with this number will follow."""

    number: int
    device: str
    request: Request
    payload: bytes | memoryview = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetCall:
    """Nobody waits for this call any more."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWork:
    """Make a device drop its program and whatever it does."""

    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsePlan:
    """All devices have this plan installed; `program` is the controller's own part."""

    plan: int
    program: Program
    devices: tuple[str, ...]
    self_starting: tuple[str, ...]
    """Devices whose programs do not start with a Receive."""
    frames_in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginFrame:
    """Start the next frame of the plan in use."""

    frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonRun:
    """Nobody waits for this frame any more."""

    frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFrameDone:
    """The controller's part of a frame has ended, and all it sent is out."""

    report: FrameReport


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReceived:
    """A device said something."""

    device: str
    message: ToController
    arrived_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NonsenseReceived:
    """Something came that cannot be read; from `device`, or as a tensor from anywhere."""

    device: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorReceived:
    """A tensor arrived."""

    header: TensorHeader
    array: Array
    arrived_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLost:
    """The connection to a device ended."""

    device: str


Event = (
    Call
    | ForgetCall
    | StopWork
    | UsePlan
    | BeginFrame
    | AbandonRun
    | OwnFrameDone
    | AnswerReceived
    | NonsenseReceived
    | TensorReceived
    | DeviceLost
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendControl:
    """Say this to a device."""

    device: str
    message: ToWorker
    payload: bytes | memoryview = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered:
    """What came of a call, and when."""

    number: int
    answer: Answer
    arrived_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallProgressed:
    """How far a call is, between 0 and 1."""

    number: int
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailed:
    """A call came to nothing."""

    number: int
    error: LegionError


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteBatch:
    """Instructions of the controller's program may be executed."""

    batch: Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed:
    """A frame will not end."""

    frame: int
    error: LegionError


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReported:
    """A node's part of a frame is done."""

    node: str
    report: FrameReport


Action = SendControl | CallAnswered | CallProgressed | CallFailed | ExecuteBatch | RunFailed | NodeReported
