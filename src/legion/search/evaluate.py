"""The latency of many plans at once: the simulator's rules, array by array instead of event by event.

What it leaves out is the order of events where messages compete for a port: they are taken reader by reader. So it
ranks plans, and the simulator has the last word on the best of them.
"""

import numpy as np

from legion.cost.tables import Array, Edge, Places, Tables
from legion.search.row_plans import Flags, RowPlans


def latencies_s(tables: Tables, plans: RowPlans) -> Array:
    """Seconds from the first input's byte to the last output's, of each plan."""
    return _Evaluation(tables, plans).latencies_s()


class _Evaluation:
    """One batch. Arrays are (plan, ...); intervals that are empty are 0..0."""

    def __init__(self, tables: Tables, plans: RowPlans) -> None:
        self._tables = tables
        self._plans = plans
        count, devices = len(plans), len(tables.devices)
        sources = len(tables.extents)
        self._rows = np.arange(count)
        self._every_device = np.arange(devices)
        self._group = plans.groups
        self._ends = plans.ends
        self._readers = _readers(tables)
        self._low = np.zeros((sources, count, devices), dtype=np.int64)
        self._high = np.zeros_like(self._low)
        self._exported = np.zeros((tables.layers, count), dtype=np.bool_)
        self._clock = np.zeros((devices + 1, count))
        self._way_out_free = np.zeros((devices + 1, count))
        self._way_in_free = np.zeros((devices + 1, count))
        self._ready = np.zeros((tables.layers + 1, devices + 1, count))
        self._arrived = np.zeros((devices, count))
        self._run_s = np.zeros((count, devices))
        self._step_s = tables.message_s[:-1]
        self._takes_part = np.zeros((count, devices), dtype=np.bool_)

    def latencies_s(self) -> Array:
        for layer in reversed(range(self._tables.layers)):
            self._demand(layer)
        # From here on `_low`..`_high` of a source also says what each device has received of it.
        self._own_low, self._own_high = self._low.copy(), self._high.copy()
        for layer in range(self._tables.layers):
            self._read(layer)
            self._compute(layer)
            if self._ends[:, layer].any():
                self._finish(layer)
        return self._gathered()

    def _demand(self, layer: int) -> None:
        """What each device computes of a layer: its share, if that leaves the group, and what its group needs."""
        inside = [
            (reader, edge, self._group[:, reader] == self._group[:, layer]) for reader, edge in self._readers[layer]
        ]
        exported = np.full(len(self._plans), self._tables.is_output[layer])
        for _, _, within in inside:
            exported |= ~within
        self._exported[layer] = exported
        low, high = self._shares(layer)
        owned = exported[:, None] & (low < high)
        low = np.where(owned, low, self._tables.extents[layer])
        high = np.where(owned, high, 0)
        for reader, edge, within in inside:
            if within.any():
                wanted = within[:, None] & (self._low[reader] < self._high[reader])
                needed, need_low, need_high = _demanded(edge, wanted, self._low[reader], self._high[reader])
                low = np.where(needed, np.minimum(low, need_low), low)
                high = np.where(needed, np.maximum(high, need_high), high)
        some = low < high
        self._low[layer] = np.where(some, low, 0)
        self._high[layer] = np.where(some, high, 0)

    def _shares(self, layer: int) -> tuple[Places, Places]:
        cuts = self._plans.cuts[:, layer]
        return cuts[:, :-1], cuts[:, 1:]

    def _read(self, layer: int) -> None:
        """Bring what the layer needs from outside its group, and assemble it."""
        begins = self._plans.starts[:, layer]
        self._arrived[:, begins] = 0.0
        self._run_s[begins] = 0.0
        self._takes_part[begins] = False
        for edge in self._tables.edges[layer]:
            is_input = edge.source >= self._tables.layers
            crossing = np.ones_like(begins) if is_input else self._group[:, edge.source] != self._group[:, layer]
            if crossing.any():
                self._bring(layer, edge, crossing)

    def _bring(self, layer: int, edge: Edge, crossing: Flags) -> None:
        source, tables = edge.source, self._tables
        reads = crossing[:, None] & (self._own_low[layer] < self._own_high[layer])
        wanted, low, high = _demanded(edge, reads, self._own_low[layer], self._own_high[layer])
        held_low, held_high = self._low[source], self._high[source]
        some_held = held_low < held_high
        before = low, np.where(some_held, np.minimum(high, held_low), high)
        behind = np.where(some_held, np.maximum(low, held_high), high), high
        if source < tables.layers:
            shares = self._shares(source)
            senders, ready = range(len(tables.devices)), self._ready_of(source)
            pieces = self._own_high[source] - self._own_low[source]
        else:
            shares = np.zeros((len(low), 1), dtype=np.int64), np.full((len(low), 1), tables.extents[source])
            senders, ready = range(len(tables.devices), len(tables.devices) + 1), None
            pieces = shares[1]
        units = _overlap(shares, before) + _overlap(shares, behind)
        copied = units * (units != pieces[:, :, None])
        self._send(units * tables.bytes_per_unit[source], copied * tables.bytes_per_unit[source], senders, ready)
        in_one_piece = ((low == held_low) & (high == held_high)) | (~some_held & (np.sum(units > 0, axis=1) == 1))
        self._run_s += (
            (wanted & ~in_one_piece) * (high - low) * tables.bytes_per_unit[source] * tables.copy_s_per_byte[:-1]
        )
        self._low[source] = np.where(wanted & some_held, np.minimum(low, held_low), np.where(wanted, low, held_low))
        self._high[source] = np.where(wanted, np.maximum(high, held_high), held_high)

    def _ready_of(self, source: int) -> Array:
        """(node, plan): from when on the source can be sent."""
        return self._ready[self._group[:, source], :, self._rows].T

    def _send(self, sizes: Array, copied: Array, senders: range, ready: Array | None) -> None:
        """Messages of `sizes` bytes, (plan, sender, device), one after the other through their ports.

        What is not held in one piece is `copied` first.
        """
        tables = self._tables
        is_sent = np.any(sizes > 0, axis=0)
        for place, sender in enumerate(senders):
            for device in np.flatnonzero(is_sent[place]).tolist():
                size = sizes[:, place, device]
                sent = size > 0
                copying_s = copied[:, place, device] * tables.copy_s_per_byte[sender]
                handling_s = sent * tables.message_s[sender] + copying_s
                self._clock[sender] += handling_s
                if ready is None:
                    handed_over = self._clock[sender]
                else:
                    ready[sender] += handling_s
                    handed_over = ready[sender]
                start = np.maximum(handed_over, np.maximum(self._way_out_free[sender], self._way_in_free[device]))
                end = start + size * tables.seconds_per_byte[sender, device]
                self._way_out_free[sender] = np.where(sent, end, self._way_out_free[sender])
                self._way_in_free[device] = np.where(sent, end, self._way_in_free[device])
                there = np.where(sent, end + tables.latency_s[sender, device], 0.0)
                self._arrived[device] = np.maximum(self._arrived[device], there)

    def _compute(self, layer: int) -> None:
        units = self._own_high[layer] - self._own_low[layer]
        self._takes_part |= units > 0
        self._run_s += self._tables.seconds[layer][self._every_device, units]
        self._run_s -= ~self._exported[layer][:, None] * self._tables.saved_s[layer][self._every_device, units]

    def _finish(self, layer: int) -> None:
        """Groups that end here run when all is there; what leaves them is ready then, borders that go first before."""
        ends = self._ends[:, layer]
        takes_part = ends & self._takes_part.T
        start = np.maximum(self._clock[:-1], self._arrived)
        run_s = (self._run_s + self._step_s).T
        end = start + run_s
        ready = end
        first = ends & self._plans.borders[:, layer] & self._plans.starts[:, layer]
        if first.any():
            before_s, more_s = self._borders(layer)
            split = first & (before_s > 0)
            begun = start + run_s - self._alone_s(layer, self._own_high[layer] - self._own_low[layer]).T
            end = np.where(split, end + more_s, end)
            # An output leaves whole, so it is ready when all of it is.
            ready = np.where(split & ~self._tables.is_output[layer], begun + before_s, end)
        self._clock[:-1] = np.where(takes_part, end, self._clock[:-1])
        chosen = self._rows[ends]
        self._ready[self._group[chosen, layer], :-1, chosen] = ready[:, ends].T

    def _alone_s(self, layer: int, units: Places) -> Array:
        """(plan, device): a run of one layer; none takes no time."""
        some = np.maximum(units, 0)
        return self._tables.seconds[layer][self._every_device, some] + (some > 0) * self._step_s

    def _borders(self, layer: int) -> tuple[Array, Array]:
        """(device, plan): what the rows that others need take alone, and how much dearer all is in three parts.

        Both are zero where others need nothing or everything.
        """
        low, high = self._shares(layer)
        interior_low, interior_high = low.copy(), high.copy()
        for reader, edge in self._readers[layer]:
            reads = self._own_low[reader] < self._own_high[reader]
            for device in self._every_device:
                need_low = edge.low[self._own_low[reader][:, device]][:, None]
                need_high = edge.high[self._own_high[reader][:, device]][:, None]
                piece_low, piece_high = np.maximum(low, need_low), np.minimum(high, need_high)
                there = reads[:, device][:, None] & (piece_low < piece_high) & (self._every_device != device)
                at_low = there & (piece_low == low)
                interior_low = np.where(at_low, np.maximum(interior_low, piece_high), interior_low)
                interior_high = np.where(there & ~at_low, np.minimum(interior_high, piece_low), interior_high)
        split = (interior_low < interior_high) & ((interior_low > low) | (interior_high < high))
        parts = (interior_low - low, high - interior_high, interior_high - interior_low, high - low)
        top_s, bottom_s, interior_s, whole_s = (self._alone_s(layer, part) for part in parts)
        before_s = np.where(split, top_s + bottom_s, 0.0)
        more_s = np.where(split, before_s + interior_s - whole_s, 0.0)
        return before_s.T, more_s.T

    def _gathered(self) -> Array:
        """All outputs go to the controller, one after the other."""
        tables = self._tables
        controller = len(tables.devices)
        latest = np.zeros(len(self._plans))
        for layer in np.flatnonzero(tables.is_output):
            low, high = self._shares(int(layer))
            ready = self._ready_of(int(layer))[:-1]
            for device in np.argsort(ready, axis=0, kind="stable"):  # of each plan, the next that is ready
                size = (high - low)[self._rows, device] * tables.bytes_per_unit[layer]
                sent = size > 0
                handed_over = ready[device, self._rows] + tables.message_s[device]
                ways_free = np.maximum(self._way_out_free[device, self._rows], self._way_in_free[controller])
                end = np.maximum(handed_over, ways_free) + size * tables.seconds_per_byte[device, controller]
                self._way_in_free[controller] = np.where(sent, end, self._way_in_free[controller])
                latest = np.maximum(latest, sent * (end + tables.latency_s[device, controller]))
        return latest


def _readers(tables: Tables) -> list[list[tuple[int, Edge]]]:
    """Of each source, the layers that read it."""
    readers: list[list[tuple[int, Edge]]] = [[] for _ in tables.extents]
    for layer, edges in enumerate(tables.edges):
        for edge in edges:
            readers[edge.source].append((layer, edge))
    return readers


def _demanded(edge: Edge, wanted: Flags, low: Places, high: Places) -> tuple[Flags, Places, Places]:
    """Whether `low`..`high` of a reader, where it is wanted, demands anything of the source, and what; else 0..0."""
    need_low, need_high = edge.low[low], edge.high[high]
    needed = wanted & (need_low < need_high)
    return needed, np.where(needed, need_low, 0), np.where(needed, need_high, 0)


def _overlap(shares: tuple[Places, Places], needs: tuple[Places, Places]) -> Places:
    """(plan, sender, device): how many units of a sender's share a device needs."""
    low = np.maximum(shares[0][:, :, None], needs[0][:, None, :])
    high = np.minimum(shares[1][:, :, None], needs[1][:, None, :])
    return np.maximum(high - low, 0)
