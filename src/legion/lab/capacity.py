"""Whether this machine can carry a lab: emulated boards must not get in one another's way."""

import math
from collections.abc import Sequence

from legion.errors import InfeasibleError
from legion.lab.setting import Board, Setting

RESERVED_CORES = 0.5
"""For the controller, and for the workers' sending and receiving, which is not slowed down."""

RESERVED_MEMORY_BYTES = 1_000_000_000
"""For the controller and the system."""

_CARRIED = 0.6
"""Of a core, what boards that take turns may compute: with more, they would often wait for too long."""

_ROUNDING = 1e-9


def turns_of(boards: Sequence[Board], cores: int) -> Sequence[int] | None:
    """With which others each board takes turns at computing, by a number; None where this machine has too few cores.

    On separate boards nobody takes caches and memory from another, so as few as can be compute at the same time: the
    fastest first, each joins the first others whom it leaves time enough.
    """
    loads: list[float] = []
    turns: dict[int, int] = {}
    for index in sorted(range(len(boards)), key=lambda index: -boards[index].speed):
        speed = boards[index].speed
        fitting = [place for place, load in enumerate(loads) if load + speed <= _CARRIED + _ROUNDING]
        if not fitting:
            fitting = [len(loads)]
            loads.append(0.0)
        turns[index] = fitting[0]
        loads[fitting[0]] += speed
    return [turns[index] for index in range(len(boards))] if len(loads) < cores else None


def check_capacity(setting: Setting, cores: int, memory_bytes: int) -> None:
    """Raise InfeasibleError, with the numbers, if `cores` and `memory_bytes` do not suffice for a setting."""
    for board in setting.boards:
        if board.speed > 1:
            raise InfeasibleError(
                f"{board.name} would be {board.speed:.2f} times as fast as a core of this machine, so it cannot be "
                "emulated here; give it a speed of 1 or less, or the lab a time_dilation of "
                f"{math.ceil(setting.time_dilation * board.speed)}"
            )
    speeds = sum(board.speed for board in setting.boards)
    usable = cores - RESERVED_CORES
    if speeds > usable:
        raise InfeasibleError(
            f"the speeds add up to {speeds:.2f} cores, and this machine has {cores}, of which {RESERVED_CORES} are "
            f"kept for the controller and the network; use fewer or slower devices, {usable:.2f} in all, or a "
            f"time_dilation of {math.ceil(setting.time_dilation * speeds / usable)}"
        )
    asked_bytes = sum(board.memory_bytes or 0 for board in setting.boards)
    usable_bytes = memory_bytes - RESERVED_MEMORY_BYTES
    if asked_bytes > usable_bytes:
        raise InfeasibleError(
            f"the memory limits add up to {asked_bytes / 1e6:.0f} MB, and this machine has "
            f"{memory_bytes / 1e6:.0f} MB, of which {RESERVED_MEMORY_BYTES / 1e6:.0f} are kept for the rest; "
            "use fewer devices or lower limits"
        )
