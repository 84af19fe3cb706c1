"""Brings labs up and down, and runs commands in them."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

import psutil

from legion.errors import InputError, InternalError
from legion.lab.capacity import check_capacity
from legion.lab.namespaces import controller_namespace, inside
from legion.lab.processes import end_processes, identify
from legion.lab.setting import Setting
from legion.lab.state import LabState, load, load_all, new_id, save
from legion.lab.teardown import remove_leftovers, take_apart
from legion.runtime.faults import error_of_kind

PLACEHOLDER = "{cluster}"
"""Stands for the cluster file in the words of a command."""

_END_S = 30.0
_INTERRUPT_S = 5.0
"""How long a command may take to end by itself after Ctrl-C, which it gets too."""

_SIGNALLED = 128

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunningLab:
    """A lab that is up, and the process that keeps it."""

    state: LabState
    keeper: "subprocess.Popen[bytes]"

    def run(self, command: Sequence[str]) -> int:
        """Run a command to its end; its exit code, 128 and more if a signal ended it.

        Whatever interrupts this ends the command. Raises InputError when it cannot be started.
        """
        try:
            process = subprocess.Popen(words_in_lab(self.state, command))  # noqa: S603 - what the user asked for
        except OSError as exc:
            raise InputError(f"{command[0]!r} cannot be run: {exc.strerror}") from exc
        try:
            self._adopt(process.pid)
            code = process.wait()
        except BaseException as exc:
            _end_command(process, grace_s=_INTERRUPT_S if isinstance(exc, KeyboardInterrupt) else 0.0)
            raise
        return code if code >= 0 else _SIGNALLED - code

    def _adopt(self, process_id: int) -> None:
        """Let the keeper end this process with the lab, should nobody else do it."""
        assert self.keeper.stdin is not None  # noqa: S101 - it was opened with a pipe
        with suppress(BrokenPipeError):  # a keeper that is gone is noticed at the end
            self.keeper.stdin.write(f"{process_id}\n".encode())
            self.keeper.stdin.flush()


def words_in_lab(state: LabState, command: Sequence[str]) -> list[str]:
    """A command as a lab's controller runs it: the cluster file filled in, in the controller's namespace."""
    filled = [word.replace(PLACEHOLDER, str(state.cluster_file)) for word in command]
    if state.setting.network == "transport":
        return filled
    return [*inside(controller_namespace(state.prefix)), *filled]


@contextmanager
def open_lab(setting: Setting, *, cold: bool = False) -> Generator[RunningLab]:
    """A lab for the time of a `with` statement, after which nothing is left of it, whatever happens.

    All workers share one weight cache, which the controller fills on disk; `cold` ones have their own,
    filled over the emulated links. SIGTERM and SIGHUP end the statement's body with SystemExit.

    Raises InfeasibleError for what this machine cannot carry, InputError for what it cannot emulate.
    """
    with _ended_by_signals():
        state = _prepare(setting, stays=False, cold=cold)
        try:
            keeper = _start_keeper(state)
            try:
                _await_ready(state, keeper)
                yield RunningLab(state, keeper)
            finally:
                _end_keeper(keeper)
        finally:
            _see_it_gone(state)


def put_up(setting: Setting, *, cold: bool = False) -> LabState:
    """Bring up a lab that stays until `take_down`; see `open_lab`."""
    state = _prepare(setting, stays=True, cold=cold)
    keeper: subprocess.Popen[bytes] | None = None
    try:
        keeper = _start_keeper(state)
        _await_ready(state, keeper)
    except BaseException:
        if keeper is not None:
            keeper.terminate()
            _end_keeper(keeper)
        _see_it_gone(state)
        raise
    return load(state.id) or state


def take_down() -> list[str]:
    """Take down the labs that were put up to stay, and what crashed ones left behind; their ids.

    Raises InternalError when something cannot be removed.
    """
    taken = remove_leftovers()
    for state in [each for each in load_all() if each.stays]:
        end_processes([state.owner])
        _see_it_gone(state)
        taken.append(state.id)
    return taken


def _prepare(setting: Setting, *, stays: bool, cold: bool) -> LabState:
    """Clear what earlier labs left, see that this one is possible, and note it."""
    remove_leftovers()
    check_setting(setting)
    owner = identify(os.getpid())
    if owner is None:
        raise InternalError("this process does not find itself in the list of processes")
    state = LabState(id=new_id(), owner=owner, stays=stays, cold=cold, setting=setting)
    save(state)
    return state


def check_setting(setting: Setting) -> None:
    """Raise InfeasibleError or InputError for a setting that this machine or this user cannot have."""
    check_capacity(setting, len(os.sched_getaffinity(0)), psutil.virtual_memory().total)
    if setting.time_dilation > 1:
        _logger.warning(
            "the lab is in slow motion: a second of its boards takes %g s, and all times that follow are as many times "
            "longer than theirs; ratios of times are as they would be",
            setting.time_dilation,
        )
    if setting.network == "namespaces":
        if os.geteuid() != 0:
            raise InputError("network namespaces need root; run it as root, or set network to transport")
        return
    if setting.slow_by == "quota":
        raise InputError("processor quotas need root and network namespaces; set slow_by to pacing")
    if setting.controller.delay_s or any(board.link.delay_s for board in setting.boards):
        raise InputError("links that are paced in the transport have no delay; leave it out, or use namespaces")
    _logger.warning(
        "links are paced in the transport, by whole messages over loopback: the weaker emulation, good for a look at "
        "slow devices; as root, links are real and shaped"
    )


def _start_keeper(state: LabState) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C is for us, and we tell it when to end.
    with (state.directory / "keeper.log").open("wb") as complaints:
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "legion.lab.keeper", state.id],
            stdin=subprocess.DEVNULL if state.stays else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            bufsize=0,  # else what the keeper did not take would be written again when the pipe is closed
            start_new_session=True,
        )


def _await_ready(state: LabState, keeper: "subprocess.Popen[bytes]") -> None:
    """Wait for what the keeper says, which has time limits of its own. Raises the error that it met."""
    assert keeper.stdout is not None  # noqa: S101 - it was opened with a pipe
    line = keeper.stdout.readline()
    if not line:
        raise InternalError(f"the lab did not come up: {_complaints(state)[-2000:] or 'its keeper was ended'}")
    said = json.loads(line)
    if "error" in said:
        raise error_of_kind(said["error"]["kind"], said["error"]["message"])
    for warning in _complaints(state).splitlines():
        _logger.warning("%s", warning)


def _complaints(state: LabState) -> str:
    """What the keeper logs; nothing once it has taken the lab apart."""
    try:
        return (state.directory / "keeper.log").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _end_keeper(keeper: "subprocess.Popen[bytes]") -> None:
    """Let the keeper take the lab apart, and wait for that."""
    for pipe in (keeper.stdin, keeper.stdout):
        if pipe is not None:
            pipe.close()
    try:
        keeper.wait(_END_S)
    except subprocess.TimeoutExpired:
        _logger.warning("the keeper of a lab does not end; it is killed")
        keeper.kill()
        keeper.wait()


def _see_it_gone(state: LabState) -> None:
    """Take apart what the keeper left, if it did."""
    left = load(state.id)
    if left is not None:
        take_apart(left)


def _end_command(process: "subprocess.Popen[bytes]", grace_s: float) -> None:
    identity = identify(process.pid)
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        if identity is not None:
            end_processes([identity])
        process.wait()


@contextmanager
def _ended_by_signals() -> Generator[None]:
    """SIGTERM and SIGHUP raise SystemExit, so that what is open gets closed."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(_SIGNALLED + number)

    kinds = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(kind, end) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
