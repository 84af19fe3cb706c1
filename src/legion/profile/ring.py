"""What was measured of small messages between devices while all of them exchange some."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSample:
    """Each of `devices` sends small messages to the next, the last one to the first, and all do so at the same time.

    Whoever has heard from the one before runs something and sends again. `seconds` pass from one such message to the
    next, without these runs, one entry per round: handling at both ends and the way between, averaged over the ring.
    """

    devices: tuple[str, ...]
    size_bytes: int
    seconds: tuple[float, ...]
