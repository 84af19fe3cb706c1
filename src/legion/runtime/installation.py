"""Bringing a plan to the devices: the weights that they lack, then their programs."""

import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from legion.errors import InputError
from legion.model.constants import constant_bytes
from legion.model.model import Array
from legion.plan.executable import NodePlan
from legion.plan.program import Send
from legion.runtime.calls import answer_of, wait_for
from legion.runtime.switchboard import OpenCall, Switchboard, Told
from legion.runtime.weights import WeightStore
from legion.wire.messages import Install, Installed, PieceStored, PutWeight, QueryWeights, WeightsMissing
from legion.wire.plans import to_wire

PIECE_BYTES = 1 << 20
_PIECES_UNDER_WAY = 4

DeviceProgress = Callable[[str, float], None]
"""Told a device's name and the fraction that is done on it."""


def upload(
    switchboard: Switchboard,
    wanted: Mapping[str, set[str]],
    constants: Mapping[str, Array],
    silence_s: float,
    progress: DeviceProgress,
) -> None:
    """Send each device those of the `wanted` constants (by digest) that it lacks, to all devices at once.

    Raises InputError for a digest without a constant, PeerError when a device fails or its disk is full.
    """
    for digests in wanted.values():
        for digest in digests - constants.keys():
            raise InputError(f"the plan uses constant {digest}, but does not bring it; compile it again")
    queries = switchboard.call_all(
        {
            device: lambda number, digests=digests: QueryWeights(request=number, digests=tuple(digests))
            for device, digests in wanted.items()
        }
    )
    wait_for(switchboard, queries, silence_s)
    told: Told = queue.SimpleQueue()
    uploads = [
        _Upload(query.device, {d: constants[d] for d in answer_of(query, WeightsMissing).digests}, told)
        for query in queries
    ]
    while under_way := [call for each in uploads for call in each.fill(switchboard)]:
        wait_for(switchboard, under_way, silence_s, for_all=False)
        for each in uploads:
            progress(each.device, each.settle())


def fill_cache(cache: WeightStore, digests: set[str], constants: Mapping[str, Array]) -> None:
    """Store what is missing of these constants in a cache on this machine. Raises PeerError when its disk is full."""
    for digest in cache.missing(digests & constants.keys()):
        for message, content in _pieces(digest, constants[digest]):
            cache.put(message(0), content)


def install_programs(
    switchboard: Switchboard,
    installs: Mapping[str, Callable[[int], Install]],
    silence_s: float,
    progress: DeviceProgress,
) -> dict[str, int]:
    """Install on all devices at once; the memory in bytes that each one's prepared graphs take.

    Raises what a device met: InputError when its engine cannot run a graph, PeerError when it fails.
    """
    calls = switchboard.call_all(installs)

    def tick() -> None:
        for call in calls:
            progress(call.device, call.fraction)

    wait_for(switchboard, calls, silence_s, tick)
    return {call.device: answer_of(call, Installed).resident_bytes for call in calls}


def make_install(
    plan: int, node_plan: NodePlan, addresses: Mapping[str, str], frames_in_flight: int
) -> Callable[[int], Install]:
    """The message that installs a node's part of a plan; `addresses` has the data address of every node."""
    sends = [each for each in node_plan.program.instructions if isinstance(each, Send)]
    peers = {send.destination: addresses[send.destination] for send in sends}
    wire_plan = to_wire(node_plan)
    return lambda number: Install(
        request=number, plan=plan, node_plan=wire_plan, peers=peers, frames_in_flight=frames_in_flight
    )


def digests_of(node_plan: NodePlan) -> set[str]:
    """The constants that a node's graphs use."""
    constants = (constant for graph in node_plan.graphs for constant in graph.constants)
    return {constant.digest for constant in constants if constant.digest is not None}


class _Upload:
    """What one device is still to get, piece by piece, with a few of them under way."""

    def __init__(self, device: str, constants: Mapping[str, Array], told: Told) -> None:
        self.device = device
        self._told = told
        self._total = sum(_piece_count(array) for array in constants.values())
        self._stored = 0
        self._pieces = (piece for digest, array in constants.items() for piece in _pieces(digest, array))
        self._under_way: deque[OpenCall] = deque()

    def fill(self, switchboard: Switchboard) -> Iterable[OpenCall]:
        """Send as many pieces as may be under way, and return all that are."""
        while len(self._under_way) < _PIECES_UNDER_WAY:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._under_way.append(switchboard.call(self.device, *piece, self._told))
        return self._under_way

    def settle(self) -> float:
        """Take note of the pieces that were stored, which they are in order; the fraction that is done."""
        while self._under_way and self._under_way[0].is_over:
            answer_of(self._under_way.popleft(), PieceStored)
            self._stored += 1
        return self._stored / self._total if self._total else 1.0


def _piece_count(array: Array) -> int:
    return max(1, -(-array.nbytes // PIECE_BYTES))


def _pieces(digest: str, array: Array) -> Iterator[tuple[Callable[[int], PutWeight], memoryview]]:
    content = constant_bytes(array)
    for index in range(_piece_count(array)):
        offset = index * PIECE_BYTES

        def piece(number: int, offset: int = offset) -> PutWeight:
            return PutWeight(
                request=number,
                digest=digest,
                dtype=array.dtype.name,
                shape=array.shape,
                offset=offset,
                total_bytes=array.nbytes,
            )

        yield piece, content[offset : offset + PIECE_BYTES]
