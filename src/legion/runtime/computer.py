"""A worker's computing thread: stores weights, makes plans ready, executes batches, measures; one thing at a time."""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from legion.engine.base import Engine, Executable
from legion.engine.pacer import Pacer
from legion.errors import InputError, InternalError
from legion.geometry.local_graph import LocalGraph
from legion.plan.executable import NodePlan
from legion.plan.program import Send
from legion.runtime.faults import as_legion_error, fault_kind
from legion.runtime.frame_meter import FrameMeter
from legion.runtime.frame_plan import device_frame_plan
from legion.runtime.interpreter import FrameLog, Interpreter, PreparedPlan
from legion.runtime.profiler import Profiler, measure_processor
from legion.runtime.sender import Sender
from legion.runtime.weights import WeightStore
from legion.runtime.worker_events import (
    ALL_FRAMES,
    BatchFailed,
    ExecuteBatch,
    FrameDone,
    InstallPlan,
    JobDone,
    JobProgressed,
    JobRequest,
    StartJob,
    WorkEvent,
)
from legion.wire.messages import (
    Failed,
    Installed,
    LayersProbed,
    PieceStored,
    ProbeLayers,
    ProbeProcessor,
    ProcessorProbed,
    Progress,
    PutWeight,
    QueryWeights,
    Reply,
    WeightsMissing,
)

_PROGRESS_INTERVAL_S = 0.2

Work = StartJob | InstallPlan | ExecuteBatch


class _CancelledError(Exception):
    """The epoch of the work has passed."""


class Computer:
    """The thread and its queue. `post` is called with what comes of the work, from this thread or the sender's."""

    def __init__(  # noqa: PLR0913, PLR0917 - what the thread works with
        self,
        engine: Engine,
        store: WeightStore,
        sender: Sender,
        clock: Callable[[], float],
        post: Callable[[WorkEvent], None],
        pacer: Pacer,
    ) -> None:
        self._engine = engine
        self._store = store
        self._sender = sender
        self._clock = clock
        self._post = post
        self._pacer = pacer
        self._meter = FrameMeter()
        self._epoch = 0
        self._interpreter: Interpreter | None = None
        self._graphs: Sequence[LocalGraph] = ()
        self._queue: queue.SimpleQueue[Work | Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="computer", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> None:
        """Queue some work."""
        self._queue.put(work)

    def abandon(self, frame: int) -> None:
        """Stop executing and sending this frame and those before it, at once."""
        if self._interpreter is not None:
            self._interpreter.abandon(frame)

    def drop(self, epoch: int) -> None:
        """Stop all work of earlier epochs at once, and free what it holds."""
        self._epoch = epoch
        self.abandon(ALL_FRAMES)
        self._queue.put(self._clean_up)

    def close(self, timeout_s: float) -> None:
        """End the thread after what it is at now; do not wait longer than `timeout_s` for that."""
        self.drop(self._epoch + 1)
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while (work := self._next()) is not None:
            match work:
                case ExecuteBatch():
                    self._execute(work)
                case StartJob() | InstallPlan():
                    self._answer(work)
                case clean_up:
                    clean_up()

    def _next(self) -> Work | Callable[[], None] | None:
        """What is to be done next, waiting for it if need be."""
        if self._queue.empty():
            self._pacer.waited()
        return self._queue.get()

    def _execute(self, work: ExecuteBatch) -> None:
        if work.epoch != self._epoch or self._interpreter is None:
            return
        try:
            self._interpreter.execute(work.batch)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the controller must learn that the frame is lost
            error = as_legion_error(exc)
            self._post(BatchFailed(epoch=work.epoch, plan=self._interpreter.plan, frame=work.batch.frame, error=error))

    def _answer(self, work: StartJob | InstallPlan) -> None:
        request = work.request if isinstance(work, InstallPlan) else work.request.request
        try:
            if isinstance(work, InstallPlan):
                reply: Reply = self._install(work)
            else:
                reply = self._do(work.epoch, work.request, work.payload)
        except _CancelledError:
            return
        except Exception as exc:  # noqa: BLE001 - whatever it is, the worker lives on and the controller learns of it
            error = as_legion_error(exc)
            reply = Failed(request=request, kind=fault_kind(error), message=str(error))
        self._post(JobDone(epoch=work.epoch, reply=reply))

    def _do(self, epoch: int, request: JobRequest, payload: bytes | memoryview) -> Reply:
        if epoch != self._epoch:
            raise _CancelledError
        match request:
            case QueryWeights(digests=digests):
                return WeightsMissing(request=request.request, digests=self._store.missing(digests))
            case PutWeight():
                self._store.put(request, payload)
                return PieceStored(request=request.request)
            case ProbeProcessor():
                sample = measure_processor(self._engine, self._pacer.timed)
                return ProcessorProbed(request=request.request, sample=sample)
            case ProbeLayers(probes=probes, policy=policy):
                progress = self._progress(epoch, request.request)
                try:
                    profiler = Profiler(self._engine, self._store.load, self._pacer.timed)
                    samples = profiler.measure(probes, policy, progress)
                finally:
                    self._engine.retain(self._graphs)
                return LayersProbed(request=request.request, samples=samples)

    def _install(self, work: InstallPlan) -> Installed:
        progress = self._progress(work.epoch, work.request)
        plan = work.node_plan
        for instruction in plan.program.instructions:
            if isinstance(instruction, Send) and instruction.destination not in work.peers:
                raise InputError(f"the plan sends to {instruction.destination}, whose address it does not give")
        frame_plan = device_frame_plan(plan)
        self._interpreter = None
        graphs = plan.graphs_as_run()
        self._engine.retain(graphs)
        self._graphs = graphs
        self._sender.connect(work.peers)
        executables: list[Executable] = []
        for graph in graphs:
            progress(len(executables) / len(graphs))
            executables.append(self._engine.prepare(graph, self._store.load))
        self._warm_up(plan, executables, progress)
        progress(1.0)
        prepared = PreparedPlan(plan=work.plan, node=plan.program.node, frame_plan=frame_plan, executables=executables)
        epoch = work.epoch

        def finished(log: FrameLog) -> None:
            self._post(FrameDone(epoch=epoch, report=self._meter.report(prepared.plan, log)))

        def lost(frame: int, error: Exception) -> None:
            self._post(BatchFailed(epoch=epoch, plan=work.plan, frame=frame, error=as_legion_error(error)))

        self._interpreter = Interpreter(prepared, self._sender, finished, lost, self._pacer)
        return Installed(request=work.request, resident_bytes=self._engine.resident_bytes)

    def _warm_up(self, plan: NodePlan, executables: Sequence[Executable], progress: Callable[[float], None]) -> None:
        """Run all steps of known shapes once, at full speed, so that no frame pays for first uses of memory.

        What fails on zeros may well run on data, so that is left to the frames.
        """
        for step in plan.steps:
            progress(1.0)
            if step.shapes is None:
                continue
            inputs = plan.graphs[step.graph].inputs
            zeros = [np.zeros(shape, kind.dtype) for shape, kind in zip(step.shapes, inputs, strict=True)]
            with suppress(InternalError):
                executables[step.graph].run(zeros)

    def _progress(self, epoch: int, request: int) -> Callable[[float], None]:
        """Tells the controller now and then, and ends the job when its epoch has passed."""
        told_s = self._clock()

        def progress(fraction: float) -> None:
            nonlocal told_s
            if epoch != self._epoch:
                raise _CancelledError
            if self._clock() - told_s > _PROGRESS_INTERVAL_S:
                told_s = self._clock()
                self._post(JobProgressed(epoch=epoch, message=Progress(request=request, fraction=fraction)))

        return progress

    def _clean_up(self) -> None:
        self._interpreter = None
        self._graphs = ()
        self._store.drop_upload()
        self._engine.retain(())
