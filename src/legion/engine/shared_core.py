"""Keeps emulated boards out of each other's caches and memory: those that share a core compute one at a time."""

import fcntl
from pathlib import Path

from legion.errors import InputError


class SharedCore:
    """A core that several processes compute on in turn: whoever takes it has it until it is left.

    It is a lock on the file at `path`, which is made if there is none; what a process holds, the kernel leaves at its
    end. Raises InputError where the file cannot be had.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("wb")
        except OSError as exc:
            raise InputError(f"the core that boards share cannot be had by {path}: {exc.strerror}") from exc

    def take(self) -> None:
        """Wait until nobody else has it, and take it."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def leave(self) -> None:
        """Let another take it."""
        fcntl.flock(self._file, fcntl.LOCK_UN)
