"""Processes that a lab started, told apart from others that got their ids later."""

from contextlib import suppress
from dataclasses import dataclass

import psutil

_SAME_START_S = 2.0
"""Start times are reckoned from the boot time, which moves a little when the clock is set."""

_TERMINATE_S = 5.0
_KILL_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """A process by its id and its start, in seconds since the epoch."""

    id: int
    started_s: float


def identify(process_id: int) -> ProcessIdentity | None:
    """The process that has this id now, if there is one."""
    with suppress(psutil.NoSuchProcess):
        return ProcessIdentity(id=process_id, started_s=psutil.Process(process_id).create_time())
    return None


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether this very process runs; one that has ended and was not waited for does not."""
    return _find(identity) is not None


def end_processes(identities: list[ProcessIdentity]) -> None:
    """End these processes and their descendants: ask, wait a few seconds, then kill."""
    processes: list[psutil.Process] = []
    for identity in identities:
        process = _find(identity)
        if process is not None:
            with suppress(psutil.NoSuchProcess):
                processes += process.children(recursive=True)
            processes.append(process)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=_TERMINATE_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=_KILL_S)


def _find(identity: ProcessIdentity) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(identity.id)
        same = abs(process.create_time() - identity.started_s) < _SAME_START_S
        if same and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None
