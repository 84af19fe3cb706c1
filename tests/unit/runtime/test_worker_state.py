"""The worker's state machine, driven by events alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from legion.errors import InputError
from legion.geometry.box import Box
from legion.plan.executable import NodePlan
from legion.plan.program import Program, Receive, Send
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
)
from legion.runtime.worker_state import WorkerState
from legion.wire.messages import (
    Abandon,
    Begin,
    Busy,
    Failed,
    FrameFailed,
    FrameReport,
    Goodbye,
    Hello,
    Install,
    Installed,
    Ping,
    Pong,
    Progress,
    PutWeight,
    QueryWeights,
    Refused,
    Released,
    TensorHeader,
    ToWorker,
    Uninstall,
    Welcome,
    WirePlan,
)
from legion.wire.plans import to_wire
from support.messages import INFO, frame_report

BOX = Box(((0, 1),))
ARRAY = np.zeros(1, np.float32)
PROGRAM = Program(
    node="pi",
    instructions=(
        Receive(tensor="x", box=BOX, source="controller"),
        Send(tensor="x", box=BOX, destination="controller"),
    ),
)
PLAN = NodePlan(program=PROGRAM, graphs=(), steps=())
REPORT = frame_report()


def said(peer: str, message: ToWorker) -> ControlReceived:
    return ControlReceived(peer=peer, message=message, payload=b"", clock_s=1.5)


def install(request: int = 3, plan: int = 7, node_plan: WirePlan | None = None) -> Install:
    return Install(
        request=request,
        plan=plan,
        node_plan=node_plan or to_wire(PLAN),
        peers={"controller": "c:1"},
        frames_in_flight=2,
    )


def tensor(plan: int = 7, frame: int = 0) -> TensorReceived:
    header = TensorHeader(plan, "controller", "x", BOX, "float32", (1,), frame)
    return TensorReceived(header=header, array=ARRAY, arrived_s=2.0)


def leased() -> WorkerState:
    state = WorkerState(INFO, 99)
    state.handle(said("a", Hello(controller="alice")))
    return state


def installed() -> WorkerState:
    state = leased()
    state.handle(said("a", install()))
    state.handle(JobDone(epoch=1, reply=Installed(request=3, resident_bytes=0)))
    return state


def test_a_greeting_is_welcomed() -> None:
    state = WorkerState(INFO, 99)
    assert state.handle(said("a", Hello(controller="alice"))) == [
        DropWork(epoch=1),
        SendControl(peer="a", message=Welcome(info=INFO, data_port=99)),
    ]
    assert state.controller == "alice"


def test_a_second_controller_is_told_of_the_first_if_that_is_still_there() -> None:
    state = leased()
    (check,) = state.handle(said("b", Hello(controller="bob")))
    assert isinstance(check, CheckPeer)
    assert check.peer == "a"
    assert state.handle(PeerChecked(peer="a", reachable=True)) == [
        SendControl(peer="b", message=Busy(controller="alice"))
    ]
    assert state.controller == "alice"


def test_a_second_controller_gets_the_worker_of_one_that_vanished() -> None:
    state = leased()
    state.handle(said("b", Hello(controller="bob")))
    state.handle(said("c", Hello(controller="carol")))
    actions = state.handle(PeerChecked(peer="a", reachable=False))
    assert [each for each in actions if isinstance(each, SendControl)] == [
        SendControl(peer="b", message=Welcome(info=INFO, data_port=99)),
        SendControl(peer="c", message=Busy(controller="bob")),
    ]
    assert state.controller == "bob"


def test_a_lost_connection_frees_the_worker_only_if_it_was_the_holders() -> None:
    state = leased()
    for reachable in (True, False):
        (check,) = state.handle(ConnectionLost())
        assert isinstance(check, CheckPeer)
        actions = state.handle(PeerChecked(peer="a", reachable=reachable))
        assert actions == ([] if reachable else [DropWork(epoch=2)])
    assert state.controller is None
    assert state.handle(ConnectionLost()) == []


def test_goodbye_releases() -> None:
    state = leased()
    assert state.handle(said("a", Goodbye())) == [SendControl(peer="a", message=Released()), DropWork(epoch=2)]
    assert state.controller is None


def test_those_without_the_lease_are_not_obeyed() -> None:
    state = leased()
    for message in (Ping(request=1), Goodbye(), install(), Uninstall()):
        assert state.handle(said("b", message)) == []
    assert state.dropped == 4
    assert state.controller == "alice"


def test_pings_are_answered_with_the_time_of_their_arrival() -> None:
    assert leased().handle(said("a", Ping(request=5))) == [SendControl(peer="a", message=Pong(request=5, clock_s=1.5))]


def test_slow_requests_become_jobs_and_their_results_answers() -> None:
    state, query = leased(), QueryWeights(request=4, digests=())
    assert state.handle(said("a", query)) == [StartJob(epoch=1, request=query, payload=b"")]
    for event, message in (
        (JobProgressed(epoch=1, message=Progress(request=4, fraction=0.5)), Progress(request=4, fraction=0.5)),
        (JobDone(epoch=1, reply=Failed(request=4, kind="PeerError", message="m")),) * 2,
    ):
        reply = message.reply if isinstance(message, JobDone) else message
        assert state.handle(event) == [SendControl(peer="a", message=reply)]


def test_a_plan_is_installed_then_run() -> None:
    state = leased()
    assert state.handle(said("a", install())) == [
        AbandonFrame(frame=ALL_FRAMES),
        InstallPlan(epoch=1, request=3, plan=7, node_plan=PLAN, peers={"controller": "c:1"}),
    ]
    assert state.handle(tensor()) == []
    done = Installed(request=3, resident_bytes=10)
    assert state.handle(JobDone(epoch=1, reply=done)) == [SendControl(peer="a", message=done)]
    (execute,) = state.handle(tensor())
    assert isinstance(execute, ExecuteBatch)
    assert (execute.epoch, execute.batch.frame, execute.batch.ends_frame) == (1, 0, True)
    (report,) = state.handle(FrameDone(epoch=1, report=REPORT))
    assert isinstance(report, SendControl)
    assert isinstance(report.message, FrameReport)
    assert report.message.dropped == 1


def test_a_failed_installation_leaves_no_plan() -> None:
    state = leased()
    state.handle(said("a", install()))
    state.handle(JobDone(epoch=1, reply=Failed(request=3, kind="InputError", message="m")))
    assert state.handle(tensor()) == []
    assert state.dropped == 1


def test_a_plan_that_does_not_fit_together_is_refused() -> None:
    broken = WirePlan(node="pi", order="x", receives=(), runs=(), sends=(), graphs=(), steps=())
    (answer,) = leased().handle(said("a", install(node_plan=broken)))
    assert isinstance(answer, SendControl)
    assert isinstance(answer.message, Failed)


def test_a_new_plan_ends_the_old_one() -> None:
    state = installed()
    state.handle(said("a", install(request=4, plan=8)))
    assert state.handle(tensor(plan=7)) == []
    state.handle(JobDone(epoch=1, reply=Installed(request=4, resident_bytes=0)))
    assert state.handle(tensor(plan=7)) == []
    assert len(state.handle(tensor(plan=8))) == 1
    assert state.dropped == 2


def test_a_failed_frame_is_told_and_abandoned() -> None:
    state = installed()
    failed = BatchFailed(epoch=1, plan=7, frame=0, error=InputError("m"))
    assert state.handle(failed) == [
        SendControl(peer="a", message=FrameFailed(plan=7, frame=0, kind="InputError", message="m")),
        AbandonFrame(frame=0),
    ]
    assert state.handle(tensor(frame=0)) == []
    assert len(state.handle(tensor(frame=1))) == 1


def test_orders_for_another_plan_are_ignored() -> None:
    state = installed()
    for order in (Begin(plan=8, frame=0), Abandon(plan=8, frame=0)):
        assert state.handle(said("a", order)) == []
    assert state.handle(said("a", Abandon(plan=7, frame=0))) == [AbandonFrame(frame=0)]


def test_results_of_dropped_work_are_void() -> None:
    state = installed()
    assert state.handle(said("a", Uninstall())) == [DropWork(epoch=2)]
    for event in (
        JobDone(epoch=1, reply=Installed(request=3, resident_bytes=0)),
        FrameDone(epoch=1, report=REPORT),
        BatchFailed(epoch=1, plan=7, frame=0, error=InputError("m")),
    ):
        assert state.handle(event) == []
    assert state.handle(tensor()) == []


def test_strangers_are_counted_and_other_versions_answered() -> None:
    state = leased()
    assert state.handle(StrangerHeard(peer="x", reason="garbage", other_version=False)) == []
    assert state.handle(StrangerHeard(peer=None, reason="garbage", other_version=True)) == []
    assert state.handle(StrangerHeard(peer="x", reason="version 9", other_version=True)) == [
        SendControl(peer="x", message=Refused(reason="version 9"))
    ]
    assert state.dropped == 3


PEERS = st.sampled_from(["a", "b", "c"])
EPOCHS = st.integers(0, 6)
PIECE = PutWeight(request=2, digest="d", dtype="float32", shape=(1,), offset=0, total_bytes=4)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        said,
        PEERS,
        st.one_of(
            PEERS.map(lambda name: Hello(controller=name)),
            st.sampled_from(
                [Goodbye(), Ping(request=1), QueryWeights(request=2, digests=()), PIECE, Uninstall(), install()]
            ),
            st.builds(Begin, plan=st.just(7), frame=st.integers(0, 3)),
            st.builds(Abandon, plan=st.just(7), frame=st.integers(0, 3)),
        ),
    ),
    st.builds(tensor, st.sampled_from([7, 8]), st.integers(0, 3)),
    st.builds(PeerChecked, peer=PEERS, reachable=st.booleans()),
    st.just(ConnectionLost()),
    st.builds(JobDone, epoch=EPOCHS, reply=st.just(Installed(request=3, resident_bytes=0))),
    st.builds(FrameDone, epoch=EPOCHS, report=st.just(REPORT)),
    st.builds(BatchFailed, epoch=EPOCHS, plan=st.just(7), frame=st.integers(0, 3), error=st.just(InputError("m"))),
)


@given(st.lists(EVENTS, max_size=40))
def test_any_order_of_events_keeps_the_lease_with_one_controller(events: list[Event]) -> None:
    state, holder, epoch = WorkerState(INFO, 99), None, 0
    batches: set[tuple[int, int, int]] = set()
    for event in events:
        before = holder
        for action in state.handle(event):
            match action:
                case DropWork():
                    assert action.epoch == epoch + 1
                    epoch, holder = action.epoch, None
                case SendControl(peer=peer, message=Welcome()):
                    holder = peer
                case SendControl(peer=peer, message=Busy()):
                    assert peer != holder is not None
                case SendControl(peer=peer, message=Released()):
                    assert peer == before
                case SendControl(peer=peer):
                    assert peer == holder
                case ExecuteBatch(batch=batch):
                    assert action.epoch == epoch
                    batches.add((epoch, batch.frame, batch.first))
                case StartJob() | InstallPlan():
                    assert action.epoch == epoch
                case _:
                    pass
        if isinstance(event, ControlReceived) and isinstance(event.message, Uninstall) and event.peer == before:
            holder = before
        assert (state.controller is None) == (holder is None)


def kinds(actions: list[Action]) -> list[str]:
    return [type(action).__name__ for action in actions]


def test_greeting_again_starts_afresh() -> None:
    state = installed()
    assert kinds(state.handle(said("a", Hello(controller="alice")))) == ["DropWork", "SendControl"]
    assert state.handle(tensor()) == []
