"""What a lab is to be: its boards, their links, and how they are emulated."""

from dataclasses import dataclass
from typing import Literal

SlowBy = Literal["pacing", "quota"]
"""What is computed is let go when a slower processor would have it, or a processor quota of the kernel's."""

Network = Literal["namespaces", "transport"]
"""Real shaped links between network namespaces, or links paced in the transport on loopback (weaker)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A node's link, the same both ways; `delay_s` is added on each way."""

    bandwidth_bytes_per_s: float
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """An emulated device. `speed` is the fraction of a core of this machine; no `memory_bytes` is no limit."""

    name: str
    speed: float
    memory_bytes: int | None
    link: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A whole lab."""

    boards: tuple[Board, ...]
    controller: Link
    slow_by: SlowBy
    network: Network
