"""Starts a lab's workers: each a process in its own namespace, with its own limits."""

import json
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from legion.cluster.device import Device
from legion.errors import InternalError
from legion.lab.capacity import turns_of
from legion.lab.cgroups import find_hierarchies, limit_memory, limit_processor
from legion.lab.namespaces import device_address, device_namespace, inside
from legion.lab.setting import Board
from legion.lab.state import LabState
from legion.runtime.serve import available_cores

_START_S = 60.0
_PORT = 7700


@dataclass(frozen=True, slots=True)
class LabWorker:
    """A worker's process; it ends when the one that started it does, or closes its input."""

    index: int
    board: Board
    process: "subprocess.Popen[bytes]"
    log: Path


def start_worker(state: LabState, index: int) -> LabWorker:
    """Start the worker of one board, without waiting for it."""
    board = state.setting.boards[index]
    log = state.directory / f"worker-{index}.log"
    with log.open("wb") as complaints:
        process = subprocess.Popen(  # noqa: S603 - our own program
            _command(state, index), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
        )
    if state.setting.network == "namespaces" and board.memory_bytes is not None:
        limit_memory(find_hierarchies(), state.prefix, index, process.pid, board.memory_bytes)
    return LabWorker(index, board, process, log)


def await_workers(state: LabState, workers: Sequence[LabWorker]) -> tuple[Device, ...]:
    """Where the workers listen, once all of them do; from then on processor quotas hold.

    Raises InternalError when one does not start.
    """
    deadline_s = time.monotonic() + _START_S
    devices = tuple(Device(name=worker.board.name, address=_address(worker, deadline_s)) for worker in workers)
    if state.setting.slow_by == "quota":
        for worker in workers:
            limit_processor(find_hierarchies(), state.prefix, worker.index, worker.process.pid, worker.board.speed)
    return devices


def weight_cache(state: LabState, index: int) -> Path:
    """Where a worker keeps weights: all of a lab share one directory, unless it is to start cold."""
    return state.directory / (f"weights-{index}" if state.cold else "weights")


def _command(state: LabState, index: int) -> list[str]:
    setting, board = state.setting, state.setting.boards[index]
    worker = [sys.executable, "-m", "legion.runtime.worker_process", "--name", board.name, "--threads", "1"]
    worker += ["--cache", str(weight_cache(state, index))]
    if setting.slow_by == "pacing":
        worker += ["--speed", str(board.speed)]
        if (turns := turns_of(setting.boards, available_cores())) is not None:
            worker += ["--turns", str(state.directory / f"turns-{turns[index]}")]
    if board.memory_bytes is not None:
        worker += ["--memory-bytes", str(board.memory_bytes)]
    if setting.network == "transport":
        return [*worker, "--bind", "127.0.0.1:0", "--bandwidth-bytes-per-s", str(board.link.bandwidth_bytes_per_s)]
    return [*inside(device_namespace(state.prefix, index)), *worker, "--bind", f"{device_address(index)}:{_PORT}"]


def _address(worker: LabWorker, deadline_s: float) -> str:
    output = worker.process.stdout
    assert output is not None  # noqa: S101 - it was opened with a pipe
    readable, _, _ = select.select([output], [], [], max(0.0, deadline_s - time.monotonic()))
    line = output.readline() if readable else b""
    if not line:
        complaint = worker.log.read_text(encoding="utf-8", errors="replace")[-2000:].strip()
        raise InternalError(f"the worker of {worker.board.name} did not start: {complaint or 'it says nothing'}")
    return json.loads(line)["address"]
