"""What a lab is to be: its boards, their links, and how they are emulated."""

from dataclasses import dataclass, replace
from typing import Literal

SlowBy = Literal["pacing", "quota"]
"""What is computed is let go when a slower processor would have it, or a processor quota of the kernel's."""

Network = Literal["namespaces", "transport"]
"""Real shaped links between network namespaces, or links paced in the transport on loopback (weaker)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A node's link, the same both ways; `delay_s` is added on each way.

    After a pause, what it carries in `burst_s` passes at once; `legion.lab.namespaces` says why not less.
    """

    bandwidth_bytes_per_s: float
    delay_s: float = 0.0
    burst_s: float = 1e-3

    def dilated(self, factor: float) -> "Link":
        """The link in a lab where time passes more slowly by a factor."""
        return Link(
            bandwidth_bytes_per_s=self.bandwidth_bytes_per_s / factor,
            delay_s=self.delay_s * factor,
            burst_s=self.burst_s * factor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """An emulated device. `speed` is the fraction of a core of this machine; no `memory_bytes` is no limit."""

    name: str
    speed: float
    memory_bytes: int | None
    link: Link

    def dilated(self, factor: float) -> "Board":
        """The board in a lab where time passes more slowly by a factor."""
        return replace(self, speed=self.speed / factor, link=self.link.dilated(factor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A whole lab. `time_dilation` is how many seconds here one of its boards' takes, and is in all other figures."""

    boards: tuple[Board, ...]
    controller: Link
    slow_by: SlowBy
    network: Network
    time_dilation: float = 1.0

    def dilated(self, factor: float) -> "Setting":
        """The same lab where time passes more slowly by a factor, for a machine that is too slow for it.

        Source: time dilation of emulated networks (Gupta et al., To Infinity and Beyond: Time-Warped Network
        Emulation, NSDI 2006).
        """
        return replace(
            self,
            boards=tuple(board.dilated(factor) for board in self.boards),
            controller=self.controller.dilated(factor),
            time_dilation=self.time_dilation * factor,
        )
