"""Limits that the kernel enforces on a device's worker, by cgroups of version 1 or 2, whichever this machine has."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from legion.errors import InputError, InternalError

Controller = Literal["cpu", "memory"]

_QUOTA_US = 1_000
"""The kernel's least: the shorter a period, the less a worker is stalled at a time."""

_REMOVE_S = 5.0
_REMOVE_POLL_S = 0.02
"""A group can be removed when the last of its processes has been, soon after its end."""

_MOUNTS = Path("/proc/self/mounts")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where groups of a controller are made, and by which version's rules."""

    root: Path
    version: Literal[1, 2]


Hierarchies = Mapping[Controller, Hierarchy]


def find_hierarchies(mounts: str | None = None) -> dict[Controller, Hierarchy]:
    """The controllers to be had, by the content of /proc/self/mounts."""
    found: dict[Controller, Hierarchy] = {}
    for line in (mounts if mounts is not None else _MOUNTS.read_text(encoding="utf-8")).splitlines():
        _, root, kind, options, *_ = line.split()
        available: list[str] = []
        if kind == "cgroup":
            available = options.split(",")
        elif kind == "cgroup2" and (controllers := Path(root) / "cgroup.controllers").exists():
            available = controllers.read_text(encoding="utf-8").split()
        for name in _controllers(available):
            found[name] = Hierarchy(Path(root), 1 if kind == "cgroup" else 2)
    return found


def limit_memory(hierarchies: Hierarchies, prefix: str, device: int, process: int, memory_bytes: int) -> bool:
    """Cap a process's memory; False, and a warning in the log, where it cannot be had."""
    try:
        group = _group(hierarchies, "memory", prefix, device)
        limit = "memory.limit_in_bytes" if hierarchies["memory"].version == 1 else "memory.max"
        _write(group / limit, memory_bytes)
        _write(group / "cgroup.procs", process)
    except (KeyError, OSError) as exc:
        _logger.warning("memory limits are told to the workers, but cannot be enforced here: %r", exc)
        return False
    return True


def limit_processor(hierarchies: Hierarchies, prefix: str, device: int, process: int, speed: float) -> None:
    """Let a process run for 1 ms of each 1 ms / `speed`, all its threads together.

    Raises InputError where it cannot be had.
    """
    period_us = round(_QUOTA_US / speed)
    try:
        group = _group(hierarchies, "cpu", prefix, device)
        if hierarchies["cpu"].version == 1:
            _write(group / "cpu.cfs_period_us", period_us)
            _write(group / "cpu.cfs_quota_us", _QUOTA_US)
        else:
            _write(group / "cpu.max", f"{_QUOTA_US} {period_us}")
        _write(group / "cgroup.procs", process)
    except (KeyError, OSError) as exc:
        raise InputError(f'no processor quota can be had here ({exc!r}); set slow_by to "pacing"') from exc


def remove_groups(hierarchies: Hierarchies, prefix: str) -> None:
    """Remove a lab's groups, whose processes have ended; there may be none.

    Raises InternalError when one cannot be removed.
    """
    for hierarchy in set(hierarchies.values()):
        top = hierarchy.root / prefix
        for group in [*top.glob("*/"), top]:
            _remove(group)


def _controllers(names: list[str]) -> list[Controller]:
    return [name for name in ("cpu", "memory") if name in names]


def _group(hierarchies: Hierarchies, controller: Controller, prefix: str, device: int) -> Path:
    """A device's group below the lab's; KeyError or OSError where it cannot be had."""
    hierarchy = hierarchies[controller]
    group = hierarchy.root / prefix / str(device)
    group.mkdir(parents=True, exist_ok=True)
    if hierarchy.version == 2:
        for parent in (hierarchy.root, group.parent):
            enabled = parent / "cgroup.subtree_control"
            if controller not in enabled.read_text(encoding="utf-8").split():
                _write(enabled, f"+{controller}")
    return group


def _write(path: Path, value: object) -> None:
    path.write_text(str(value), encoding="utf-8")


def _remove(group: Path) -> None:
    deadline_s = time.monotonic() + _REMOVE_S
    while group.exists():
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError as exc:
            if time.monotonic() > deadline_s:
                raise InternalError(f"cgroup {group} cannot be removed: {exc.strerror}; see what runs in it") from exc
            time.sleep(_REMOVE_POLL_S)
