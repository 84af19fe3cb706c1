"""The process that owns a lab: builds it, says in one line of JSON how that went, keeps it, and takes it apart.

It is a process apart, so that the lab ends in order whatever happens to the one that asked for it: when its input
ends, or, if the lab stays, at SIGTERM. The lines of its input are the ids of processes that belong to the lab.
Started by `legion.lab.lab` as `python -m legion.lab.keeper ID`.
"""

import io
import json
import logging
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from types import FrameType

from legion.cluster.cluster_file import write_cluster
from legion.cluster.device import ControllerSetting
from legion.errors import InternalError, LegionError
from legion.lab.namespaces import build_network
from legion.lab.processes import ProcessIdentity, identify
from legion.lab.state import LabState, load, save
from legion.lab.teardown import take_apart
from legion.lab.workers import LabWorker, await_workers, start_worker, weight_cache
from legion.runtime.faults import as_legion_error, fault_kind

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_TICK_S = 0.5


class _Ended(BaseException):
    """The lab is to end."""


class _Keeper:
    """Holds one lab; `state` is what is on disk."""

    def __init__(self, state: LabState) -> None:
        self.state = state
        self._workers: list[LabWorker] = []
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Build the lab, say so, and wait for the end, which comes as an exception."""
        try:
            self._build()
        except LegionError as exc:
            _say(error={"kind": fault_kind(exc), "message": str(exc)})
            return
        except Exception as exc:  # noqa: BLE001 - whatever it is, whoever waits is told
            _say(error={"kind": "InternalError", "message": str(as_legion_error(exc))})
            return
        _say(ready=True)
        while True:  # in short sleeps: a signal that comes just before one does not cut it short
            time.sleep(_TICK_S)

    def follow_input(self) -> None:
        """Take note of the lab's further processes; at the end of the input, the lab ends."""
        for line in io.FileIO(sys.stdin.fileno(), closefd=False):  # sys.stdin's lock would be held at the end
            self._add(int(line))
        os.kill(os.getpid(), signal.SIGTERM)

    def _build(self) -> None:
        setting = self.state.setting
        if setting.network == "namespaces":
            build_network(self.state.prefix, setting.controller, [board.link for board in setting.boards])
        for index in range(len(setting.boards)):
            worker = start_worker(self.state, index)
            self._workers.append(worker)
            self._add(worker.process.pid)
        devices = await_workers(self.state, self._workers)
        controller = ControllerSetting(
            weight_cache=None if self.state.cold else weight_cache(self.state, 0),
            bandwidth_bytes_per_s=(
                setting.controller.bandwidth_bytes_per_s if setting.network == "transport" else None
            ),
        )
        write_cluster(self.state.cluster_file, devices, controller)

    def _add(self, process_id: int) -> None:
        identity = identify(process_id)
        if identity is not None:
            with self._lock:
                self.state = replace(self.state, processes=(*self.state.processes, identity))
                save(self.state)


def main() -> int:
    """Keep the lab whose id is the only argument."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    state = load(sys.argv[1])
    if state is None:
        return 1
    keeper = _Keeper(replace(state, owner=_myself()))
    for kind in _SIGNALS:
        signal.signal(kind, _end)
    try:
        save(keeper.state)
        if not state.stays:
            threading.Thread(target=keeper.follow_input, daemon=True).start()
        keeper.keep()
    except _Ended:
        """As it should."""
    finally:
        for kind in _SIGNALS:
            signal.signal(kind, signal.SIG_IGN)
        take_apart(keeper.state)
    return 0


def _end(_signal: int, _frame: FrameType | None) -> None:
    for kind in _SIGNALS:
        signal.signal(kind, signal.SIG_IGN)
    raise _Ended


def _myself() -> ProcessIdentity:
    identity = identify(os.getpid())
    if identity is None:
        raise InternalError("this process does not find itself in the list of processes")
    return identity


def _say(**content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
