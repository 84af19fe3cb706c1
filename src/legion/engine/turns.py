"""Keeps emulated boards out of each other's caches and memory: they compute one at a time."""

import fcntl
from pathlib import Path

from legion.errors import InputError


class Turns:
    """Turns of several processes: whoever has begun one has it until it is ended.

    A lock on the file at `path`, which is made if there is none; a process's turn ends with it. Raises InputError where
    the file cannot be had, or not be locked.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("wb")
            self.begin()
            self.end()
        except OSError as exc:
            raise InputError(f"boards cannot take turns by {path}: {exc.strerror}") from exc

    def begin(self) -> None:
        """Wait until nobody else has a turn, and begin one."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def end(self) -> None:
        """Let another begin."""
        fcntl.flock(self._file, fcntl.LOCK_UN)
