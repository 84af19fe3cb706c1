"""What is known of labs on disk, so that each can be found and taken down by whoever comes later.

A lab has a directory of its own under one per user. What it owns elsewhere is found by its prefix.
"""

import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from legion.errors import InputError
from legion.lab.processes import ProcessIdentity, is_alive
from legion.lab.setting import Setting

_STATE = "state.json"
_OWNER_ONLY = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class LabState:
    """A lab: while its owner lives, it is nobody else's to take down, unless it `stays` until it is told to end.

    `processes` are those of the workers and of the command, as far as they were started.
    """

    id: str
    owner: ProcessIdentity
    stays: bool
    cold: bool
    setting: Setting
    processes: tuple[ProcessIdentity, ...] = ()

    @property
    def prefix(self) -> str:
        """What the name of all that is the lab's begins with."""
        return f"lgn{self.id}"

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return labs_directory() / self.id

    @property
    def cluster_file(self) -> Path:
        """The generated cluster file."""
        return self.directory / "cluster.toml"

    @property
    def abandoned(self) -> bool:
        """Whether its owner is gone, so that nobody will take it down."""
        return not is_alive(self.owner)


def labs_directory() -> Path:
    """Where this user's labs are kept."""
    return Path(tempfile.gettempdir()) / f"legion-lab-{os.geteuid()}"


def new_id() -> str:
    """An id that no lab has, with a directory for it.

    Raises InputError when the directory of labs is another user's.
    """
    top = labs_directory()
    top.mkdir(mode=_OWNER_ONLY, exist_ok=True)
    if top.is_symlink() or top.stat().st_uid != os.geteuid():
        raise InputError(f"{top} is not this user's own directory; remove it")
    while True:
        made = secrets.token_hex(2)
        try:
            (top / made).mkdir()
        except FileExistsError:
            continue
        return made


def save(state: LabState) -> None:
    """Write a lab's state, whole or not at all."""
    temporary = state.directory / f"{_STATE}.new"
    temporary.write_bytes(msgspec.json.encode(state))
    temporary.replace(state.directory / _STATE)


def load(lab: str) -> LabState | None:
    """The state of a lab; None if there is none, or not yet."""
    try:
        return msgspec.json.decode((labs_directory() / lab / _STATE).read_bytes(), type=LabState)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def load_all() -> list[LabState]:
    """All labs of this user."""
    states = [load(path.name) for path in sorted(labs_directory().glob("*/"))]
    return [state for state in states if state is not None]


def forget(state: LabState) -> None:
    """Remove a lab's directory."""
    shutil.rmtree(state.directory, ignore_errors=True)
