"""Everything that controllers and workers say to one another, as typed data."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from legion.cluster.device import DeviceInfo
from legion.geometry.box import Box
from legion.geometry.local_graph import LocalGraph
from legion.plan.executable import RunStep
from legion.plan.program import Receive, Run, Send
from legion.profile.probes import LayerProbe
from legion.profile.samples import LayerSample, MeasurementPolicy, ProcessorSample

Count = Annotated[int, Meta(ge=0)]
FaultKind = Literal["InputError", "InfeasibleError", "PeerError", "InternalError"]


class WirePlan(Struct, frozen=True, kw_only=True):
    """A NodePlan laid out for the wire, where instructions of three kinds cannot share one list.

    `order` says, with one letter per instruction (c, r or s), from which list the next one comes.
    """

    node: str
    order: str
    receives: tuple[Receive, ...]
    runs: tuple[Run, ...]
    sends: tuple[Send, ...]
    graphs: tuple[LocalGraph, ...]
    steps: tuple[RunStep, ...]


class Hello(Struct, frozen=True, kw_only=True, tag=True):
    """Controller: let me have this worker. Answered by Welcome, Busy or Refused."""

    controller: str


class Goodbye(Struct, frozen=True, kw_only=True, tag=True):
    """Controller: I am done; drop all that is mine. Answered by Released."""


class Ping(Struct, frozen=True, kw_only=True, tag=True):
    """Controller: what does your clock say? Answered by Pong, also while the worker computes."""

    request: Count


class QueryWeights(Struct, frozen=True, kw_only=True, tag=True):
    """Controller: which of these constants do you lack? Answered by WeightsMissing."""

    request: Count
    digests: tuple[str, ...]


class PutWeight(Struct, frozen=True, kw_only=True, tag=True):
    """Controller: a piece of a constant, its bytes beside this message. Answered by PieceStored.

    Pieces come in order; `offset` and `total_bytes` count bytes of the constant. The piece that
    completes it makes the worker check the digest.
    """

    request: Count
    digest: str
    dtype: str
    shape: tuple[Count, ...]
    offset: Count
    total_bytes: Count


class Install(Struct, frozen=True, kw_only=True, tag=True):
    """Controller: make this program ready, in place of any other. Answered by Progress, then Installed.

    `peers` are the addresses to which this node sends tensors, by node name. No more than
    `frames_in_flight` frames are ever begun and not yet reported.
    """

    request: Count
    plan: Count
    node_plan: WirePlan
    peers: Mapping[str, str]
    frames_in_flight: Annotated[int, Meta(ge=1)]


class Uninstall(Struct, frozen=True, kw_only=True, tag=True):
    """Controller: stop what you are doing for me, and drop the program. Not answered."""


class Begin(Struct, frozen=True, kw_only=True, tag=True):
    """Controller: a frame begins; said only to nodes whose program does not start with a Receive."""

    plan: Count
    frame: Count


class Abandon(Struct, frozen=True, kw_only=True, tag=True):
    """Controller: nobody waits for this frame, or any before it, any more. Not answered."""

    plan: Count
    frame: Count


class ProbeLayers(Struct, frozen=True, kw_only=True, tag=True):
    """Controller: measure these layers. Answered by Progress, then LayersProbed."""

    request: Count
    policy: MeasurementPolicy
    probes: tuple[LayerProbe, ...]


class ProbeProcessor(Struct, frozen=True, kw_only=True, tag=True):
    """Controller: run the reference kernel, and copy memory. Answered by ProcessorProbed."""

    request: Count


class Welcome(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: I am yours. Tensors are to be sent to `data_port` of the host that was greeted."""

    info: DeviceInfo
    data_port: Count


class Busy(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: another controller has me."""

    controller: str


class Refused(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: I do not do what you ask, for this reason."""

    reason: str


class Released(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: I am no longer yours."""


class Pong(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: my clock says so many seconds."""

    request: Count
    clock_s: float


class WeightsMissing(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: I lack these."""

    request: Count
    digests: tuple[str, ...]


class PieceStored(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: the piece is on my disk."""

    request: Count


class Installed(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: the program is ready; prepared graphs take so many bytes of memory."""

    request: Count
    resident_bytes: Count


class Progress(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: of what this request asks, so much is done, between 0 and 1."""

    request: Count
    fraction: float


class LayersProbed(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: the samples, in the order of the probes."""

    request: Count
    samples: tuple[LayerSample, ...]


class ProcessorProbed(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: how long that takes me."""

    request: Count
    sample: ProcessorSample


class Failed(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: this request failed."""

    request: Count
    kind: FaultKind
    message: str


class FrameFailed(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: my part of this frame failed; nothing more of it will come from me."""

    plan: Count
    frame: Count
    kind: FaultKind
    message: str


class Record(Struct, frozen=True, array_like=True):
    """One executed instruction: its place in the program, and when, by the node's clock.

    For a Receive, `start_s` is when the node reached it, and `end_s` when its tensor arrived, which
    may be earlier. For a Send they are when it entered the port and when it was released.
    """

    instruction: Count
    start_s: float
    end_s: float
    size_bytes: Count


class FrameReport(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: my part of this frame is done.

    Processor seconds since the last report: of the computing thread, of the receiving and sending
    threads, and of the whole process. Messages and bytes are tensors, headers included.
    `overrun_s` is by how much a worker that emulates a slower one was later than it should, 0 on others.
    `dropped` counts the messages that belonged to nothing, since the worker started.
    """

    plan: Count
    frame: Count
    records: tuple[Record, ...]
    compute_cpu_s: float
    wire_cpu_s: float
    process_cpu_s: float
    sent_messages: Count
    sent_bytes: Count
    received_messages: Count
    received_bytes: Count
    overrun_s: float = 0.0
    dropped: Count


class LeaseCheck(Struct, frozen=True, kw_only=True, tag=True):
    """Worker: are you still there? Not answered: that it can be sent is the answer."""


class TensorHeader(Struct, frozen=True, array_like=True):
    """What a data message holds; the elements are beside it, in C order, little-endian.

    `shape` is the real one, which for tensors of data-dependent shape is not the box's. `frame` is the last, so that
    the rest need be encoded only once.
    """

    plan: Count
    source: str
    tensor: str
    box: Box
    dtype: str
    shape: tuple[Count, ...]
    frame: Count


ToWorker = (
    Hello
    | Goodbye
    | Ping
    | QueryWeights
    | PutWeight
    | Install
    | Uninstall
    | Begin
    | Abandon
    | ProbeLayers
    | ProbeProcessor
)
Reply = Pong | WeightsMissing | PieceStored | Installed | LayersProbed | ProcessorProbed | Failed
ToController = Welcome | Busy | Refused | Released | Reply | Progress | FrameReport | FrameFailed | LeaseCheck
