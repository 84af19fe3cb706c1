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
    """One batch. Arrays are (..., plan), so that what happens to all plans at once lies together.

    Intervals that are empty are 0..0.
    """

    def __init__(self, tables: Tables, plans: RowPlans) -> None:
        self._tables = tables
        count, devices, sources = len(plans), len(tables.devices), len(tables.extents)
        self._every_plan = np.arange(count)
        self._every_device = np.arange(devices)[:, None]
        self._starts = np.ascontiguousarray(plans.starts.T)
        self._ends = np.ascontiguousarray(plans.ends.T)
        self._cuts = np.ascontiguousarray(plans.cuts.transpose(1, 2, 0))
        self._borders_first = self._starts & self._ends & plans.borders.T
        self._group = np.cumsum(self._starts, axis=0) - 1
        self._readers = _readers(tables)
        self._low = np.zeros((sources, devices, count), dtype=np.int64)
        self._high = np.zeros_like(self._low)
        self._exported = np.zeros((tables.layers, count), dtype=np.bool_)
        self._clock = np.zeros((devices + 1, count))
        self._way_out_free = np.zeros((devices + 1, count))
        # A way in is booked from `taken` to `free`.
        self._way_in_taken = np.zeros((devices + 1, count))
        self._way_in_free = np.zeros((devices + 1, count))
        self._ready = np.zeros((tables.layers, devices, count))
        self._arrived = np.zeros((devices, count))
        self._run_s = np.zeros((devices, count))
        self._takes_part = np.zeros((devices, count), dtype=np.bool_)
        self._call_s = tables.call_s[:, None]

    def latencies_s(self) -> Array:
        for layer in reversed(range(self._tables.layers)):
            self._demand(layer)
        # From here on `_low`..`_high` of a source also says what each device has received of it.
        self._own_low, self._own_high = self._low.copy(), self._high.copy()
        for layer in range(self._tables.layers):
            self._read(layer)
            self._compute(layer)
            if self._ends[layer].any():
                self._finish(layer)
        return self._gathered()

    def _demand(self, layer: int) -> None:
        """What each device computes of a layer: its share, if that leaves the group, and what its group needs."""
        inside = [(reader, edge, self._group[reader] == self._group[layer]) for reader, edge in self._readers[layer]]
        exported = np.full(len(self._every_plan), self._tables.is_output[layer])
        for _, _, within in inside:
            exported |= ~within
        self._exported[layer] = exported
        low, high = self._shares(layer)
        owned = exported & (low < high)
        low = np.where(owned, low, self._tables.extents[layer])
        high = np.where(owned, high, 0)
        for reader, edge, within in inside:
            if within.any():
                wanted = within & (self._low[reader] < self._high[reader])
                needed, need_low, need_high = _demanded(edge, wanted, self._low[reader], self._high[reader])
                low = np.where(needed, np.minimum(low, need_low), low)
                high = np.where(needed, np.maximum(high, need_high), high)
        some = low < high
        self._low[layer] = low * some
        self._high[layer] = high * some

    def _shares(self, layer: int) -> tuple[Places, Places]:
        return self._cuts[layer, :-1], self._cuts[layer, 1:]

    def _read(self, layer: int) -> None:
        """Bring what the layer needs from outside its group, and assemble it."""
        goes_on = ~self._starts[layer]
        self._arrived *= goes_on
        self._run_s *= goes_on
        self._takes_part &= goes_on
        for edge in self._tables.edges[layer]:
            is_input = edge.source >= self._tables.layers
            crossing = np.ones_like(goes_on) if is_input else self._group[edge.source] != self._group[layer]
            if crossing.any():
                self._bring(layer, edge, crossing)

    def _bring(self, layer: int, edge: Edge, crossing: Flags) -> None:
        source, tables = edge.source, self._tables
        reads = crossing & (self._own_low[layer] < self._own_high[layer])
        wanted, low, high = _demanded(edge, reads, self._own_low[layer], self._own_high[layer])
        held_low, held_high = self._low[source], self._high[source]
        units = self._overlaps(source, low, high)
        units -= self._overlaps(source, np.maximum(low, held_low), np.minimum(high, held_high))
        self._send(source, units)
        some_held = held_low < held_high
        in_one_piece = ((low == held_low) & (high == held_high)) | (~some_held & (np.sum(units > 0, axis=0) == 1))
        copy_s_per_unit = tables.bytes_per_unit[source] * tables.copy_s_per_byte[:-1, None]
        self._run_s += (wanted & ~in_one_piece) * (high - low) * copy_s_per_unit
        self._low[source] = np.where(wanted, np.where(some_held, np.minimum(low, held_low), low), held_low)
        self._high[source] = np.where(wanted, np.maximum(high, held_high), held_high)

    def _overlaps(self, source: int, low: Places, high: Places) -> Places:
        """(sender, device, plan): units of each sender's share, or of an input, that lie in the device's interval."""
        if source >= self._tables.layers:
            return np.maximum(high - low, 0)[None]
        share_low, share_high = self._shares(source)
        return np.maximum(np.minimum(share_high[:, None], high) - np.maximum(share_low[:, None], low), 0)

    def _send(self, source: int, units: Places) -> None:
        """Messages of so many units, (sender, device, plan), through the ports; what is not one piece is copied first.

        Each sender serves the devices in their order. Messages that go equally far along the devices are booked
        together, for no two of them share a port. One that is through before all that its way in has booked goes first.
        """
        tables = self._tables
        senders, devices = len(units), len(tables.devices)
        is_input = source >= tables.layers
        nodes = np.arange(devices, devices + 1) if is_input else np.arange(devices)
        ready = self._clock[nodes] if is_input else self._ready_of(source)
        pieces = tables.extents[source] if is_input else (self._own_high[source] - self._own_low[source])[:, None]
        unit_bytes = tables.bytes_per_unit[source]
        copy_s = units * (units != pieces) * (unit_bytes * tables.copy_s_per_byte[nodes, None, None])
        handling_s = copy_s + (units > 0) * tables.message_s[nodes, None, None]
        wire_s = units * (unit_bytes * tables.seconds_per_byte[nodes, :-1, None])
        self._clock[nodes] += handling_s.sum(axis=1)
        for offset in range(1 - senders, devices):
            sender = np.arange(max(0, -offset), min(senders, devices - offset))
            device, node = sender + offset, nodes[sender]
            sent = units[sender, device] > 0
            if not sent.any():
                continue
            ready[sender] += handling_s[sender, device]
            taken, free = self._way_in_taken[device], self._way_in_free[device]
            start = np.maximum(ready[sender], self._way_out_free[node])
            goes_first = start + wire_s[sender, device] <= taken
            start = np.where(goes_first, start, np.maximum(start, free))
            end = start + wire_s[sender, device]
            self._way_in_taken[device] = np.where(sent & (goes_first | (start > free)), start, taken)
            self._way_in_free[device] = np.where(sent, np.maximum(free, end), free)
            self._way_out_free[node] = np.where(sent, end, self._way_out_free[node])
            there = np.where(sent, end + (tables.latency_s[node, device] + tables.message_s[device])[:, None], 0.0)
            self._arrived[device] = np.maximum(self._arrived[device], there)

    def _ready_of(self, source: int) -> Array:
        """(device, plan): from when on the source can be sent."""
        return self._ready[self._group[source], :, self._every_plan].T.copy()

    def _compute(self, layer: int) -> None:
        units = self._own_high[layer] - self._own_low[layer]
        self._takes_part |= units > 0
        self._run_s += self._tables.seconds[layer][self._every_device, units]
        kept = ~self._exported[layer]
        if kept.any():
            self._run_s -= kept * self._tables.saved_s[layer][self._every_device, units]

    def _finish(self, layer: int) -> None:
        """Groups that end here run when all is there; what leaves them is ready then, borders that go first before."""
        ends, first = self._ends[layer], self._borders_first[layer]
        start = np.maximum(self._clock[:-1], self._arrived)
        end = start + self._run_s + self._call_s
        ready = end
        if first.any():
            before_s, more_s = self._borders(layer)
            split = first & (before_s > 0)
            begun = end - self._alone_s(layer, self._own_high[layer] - self._own_low[layer])
            end = np.where(split, end + more_s, end)
            # An output leaves whole, so it is ready when all of it is.
            ready = end if self._tables.is_output[layer] else np.where(split, begun + before_s, end)
        np.copyto(self._clock[:-1], end, where=ends & self._takes_part)
        chosen = self._every_plan[ends]
        self._ready[self._group[layer, chosen], :, chosen] = ready[:, ends].T

    def _alone_s(self, layer: int, units: Places) -> Array:
        """(device, plan): a run of one layer; none takes no time."""
        some = np.maximum(units, 0)
        return self._tables.seconds[layer][self._every_device, some] + (some > 0) * self._call_s

    def _borders(self, layer: int) -> tuple[Array, Array]:
        """(device, plan): what the rows that others need take alone, and how much dearer all is in three parts.

        Both are zero where others need nothing or everything.
        """
        low, high = self._shares(layer)
        interior_low, interior_high = low.copy(), high.copy()
        for reader, edge in self._readers[layer]:
            reads = self._own_low[reader] < self._own_high[reader]
            need_low, need_high = edge.low[self._own_low[reader]], edge.high[self._own_high[reader]]
            for device in range(len(self._every_device)):
                piece_low, piece_high = np.maximum(low, need_low[device]), np.minimum(high, need_high[device])
                there = reads[device] & (piece_low < piece_high)
                there[device] = False
                at_low = there & (piece_low == low)
                np.maximum(interior_low, piece_high, out=interior_low, where=at_low)
                np.minimum(interior_high, piece_low, out=interior_high, where=there & ~at_low)
        split = (interior_low < interior_high) & ((interior_low > low) | (interior_high < high))
        parts = (interior_low - low, high - interior_high, interior_high - interior_low, high - low)
        top_s, bottom_s, interior_s, whole_s = (self._alone_s(layer, part) for part in parts)
        before_s = split * (top_s + bottom_s)
        return before_s, split * (before_s + interior_s - whole_s)

    def _gathered(self) -> Array:
        """All outputs go to the controller, one after the other."""
        tables, plans = self._tables, self._every_plan
        controller = len(tables.devices)
        latest = np.zeros(len(plans))
        for layer in np.flatnonzero(tables.is_output):
            low, high = self._shares(int(layer))
            ready = self._ready_of(int(layer))
            for device in np.argsort(ready, axis=0, kind="stable"):  # of each plan, the next that is ready
                size = (high - low)[device, plans] * tables.bytes_per_unit[layer]
                sent = size > 0
                handed_over = ready[device, plans] + tables.message_s[device]
                ways_free = np.maximum(self._way_out_free[device, plans], self._way_in_free[controller])
                end = np.maximum(handed_over, ways_free) + size * tables.seconds_per_byte[device, controller]
                self._way_in_free[controller] = np.where(sent, end, self._way_in_free[controller])
                there = end + tables.latency_s[device, controller] + tables.message_s[controller]
                latest = np.maximum(latest, sent * there)
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
    return needed, need_low * needed, need_high * needed
