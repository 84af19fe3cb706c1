"""The latency of many plans at once: the simulator's rules, array by array instead of event by event.

What it leaves out is the order of events where messages compete for a port: they are taken reader by reader. And of
a first group in parts it says that all can be sent when the last part is done. So it ranks plans, and the simulator has
the last word on the best of them.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from legion.cost.tables import Array, Edge, Places, Tables
from legion.search.parts import of_layer, part_cut
from legion.search.row_plans import Flags, RowPlans

_Element = TypeVar("_Element", bound=np.generic)

_Chosen = slice | Places
"""Some plans of a batch, by their places, or all as a slice, which copies nothing."""

_ALL = slice(None)

_MANY = 0.4
"""Where more plans than this fraction are wanted, taking all costs less than choosing."""


def latencies_s(tables: Tables, plans: RowPlans) -> Array:
    """Seconds from the first input's byte to the last output's, of each plan."""
    cuts = np.ascontiguousarray(plans.cuts.transpose(1, 2, 0))
    return _Evaluation(tables, plans, cuts[:, :-1], cuts[:, 1:]).latencies_s()


class _Evaluation:
    """One batch. Arrays are (..., plan), so that what happens to all plans at once lies together.

    Intervals that are empty are 0..0. `share_low`..`share_high`, (layer, device, plan), is what a device owns.
    """

    def __init__(self, tables: Tables, plans: RowPlans, share_low: Places, share_high: Places) -> None:
        self._tables = tables
        self._plans = plans
        self._share_low, self._share_high = share_low, share_high
        count, devices, sources = len(plans), len(tables.devices), len(tables.extents)
        self._every_plan = np.arange(count)
        self._every_device = np.arange(devices)[:, None]
        self._starts = np.ascontiguousarray(plans.starts.T)
        self._ends = np.ascontiguousarray(plans.ends.T)
        self._borders_first = np.ascontiguousarray(plans.borders_first.T)
        self._group = np.cumsum(self._starts, axis=0) - 1
        self._readers = _readers(tables)
        self._low = np.zeros((sources, devices, count), dtype=np.int64)
        self._high = np.zeros_like(self._low)
        self._exported = np.zeros((tables.layers, count), dtype=np.bool_)
        self._done = np.zeros((tables.layers, count), dtype=np.bool_)
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
        self._demand_all(self._tables.layers)
        self._begin_in_parts()
        self._compute_all(self._tables.layers)
        return self._gathered()

    def computed(self, layers: int, left_out: Flags, before: Sequence[Array | Places]) -> Sequence[Array | Places]:
        """The state after the first layers, from that of an evaluation of the same plans if there was one.

        `left_out` is (layer, plan).
        """
        self._demand_all(layers)
        self._leave_out(left_out)
        self._go_on(before, _ALL)
        self._compute_all(layers)
        return self._state

    def _demand_all(self, layers: int) -> None:
        for layer in reversed(range(layers)):
            self._demand(layer)
        # From here on `_low`..`_high` of a source also says what each device has received of it.
        self._own_low, self._own_high = self._low.copy(), self._high.copy()

    def _compute_all(self, layers: int) -> None:
        for layer in range(layers):
            self._read(layer)
            self._compute(layer)
            if self._ends[layer].any():
                self._finish(layer)

    def _begin_in_parts(self) -> None:
        """First groups that are computed in parts, where only their last layer leaves them: part after part."""
        parts, first = self._plans.parts, self._group == 0
        leaves_early = np.any(first & self._exported & ~self._ends, axis=0)
        chosen = np.flatnonzero((parts > 1) & ~leaves_early)
        if not len(chosen):
            return
        done = np.zeros_like(self._done)
        done[:, chosen] = first[:, chosen]
        plans, parts, last = self._plans[chosen], parts[chosen], first[:, chosen].sum(axis=0) - 1
        low, high = self._share_low[last, :, chosen].T, self._share_high[last, :, chosen].T
        state: Sequence[Array | Places] = ()
        for part in range(int(parts.max())):
            shares = (of_layer(self._tables, last, part_cut(low, high, parts, place)) for place in (part, part + 1))
            stage = _Evaluation(self._tables, plans, *shares)
            state = stage.computed(int(last.max()) + 1, ~done[:, chosen], state)
        self._go_on(state, chosen)
        self._ready[0][:, chosen] = self._clock[:-1, chosen]
        self._leave_out(done)

    def _leave_out(self, layers: Flags) -> None:
        """Compute these, (layer, plan), no more."""
        self._done |= layers
        self._ends &= ~layers

    @property
    def _state(self) -> Sequence[Array | Places]:
        """Clocks, ports, and what devices have received of the inputs; the last axis is that of the plans."""
        ports = self._way_out_free, self._way_in_taken, self._way_in_free
        return self._clock, *ports, self._low[self._tables.layers :], self._high[self._tables.layers :]

    def _go_on(self, state: Sequence[Array | Places], plans: _Chosen) -> None:
        """These plans are as another evaluation left them; as they are if there was none."""
        for mine, theirs in zip(self._state, state, strict=False):
            mine[..., plans] = theirs

    def _demand(self, layer: int) -> None:
        """What each device computes of a layer: its share, if that leaves the group, and what its group needs."""
        inside = [(reader, edge, self._group[reader] == self._group[layer]) for reader, edge in self._readers[layer]]
        exported = np.full(len(self._every_plan), self._tables.is_output[layer])
        for _, _, within in inside:
            exported |= ~within
        self._exported[layer] = exported
        low, high = self._shares(layer, _ALL)
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

    def _shares(self, layer: int, plans: _Chosen) -> tuple[Places, Places]:
        return self._share_low[layer][:, plans], self._share_high[layer][:, plans]

    def _read(self, layer: int) -> None:
        """Bring what the layer needs from outside its group, and assemble it."""
        goes_on = ~self._starts[layer]
        self._arrived *= goes_on
        self._run_s *= goes_on
        self._takes_part &= goes_on
        for edge in self._tables.edges[layer]:
            is_input = edge.source >= self._tables.layers
            crossing = ~self._done[layer]
            if not is_input:
                crossing &= self._group[edge.source] != self._group[layer]
            if crossing.any():
                self._bring(layer, edge, crossing)

    def _bring(self, layer: int, edge: Edge, crossing: Flags) -> None:
        source, tables, plans = edge.source, self._tables, _chosen(crossing)
        own_low, own_high = self._own_low[layer][:, plans], self._own_high[layer][:, plans]
        wanted, low, high = _demanded(edge, crossing[plans] & (own_low < own_high), own_low, own_high)
        held_low, held_high = self._low[source][:, plans], self._high[source][:, plans]
        units = self._overlaps(source, low, high, plans)
        units -= self._overlaps(source, np.maximum(low, held_low), np.minimum(high, held_high), plans)
        messages = self._messages(source, units, plans)
        self._send(source, units, messages, plans)
        some_held = held_low < held_high
        as_computed = (low == held_low) & (high == held_high) & (self._pieces(source, plans) == 1)
        in_one_piece = as_computed | (~some_held & (messages.sum(axis=0) == 1))
        copy_s_per_unit = tables.bytes_per_unit[source] * tables.copy_s_per_byte[:-1, None]
        self._run_s[:, plans] += (wanted & ~in_one_piece) * (high - low) * copy_s_per_unit
        self._low[source][:, plans] = np.where(wanted, np.where(some_held, np.minimum(low, held_low), low), held_low)
        self._high[source][:, plans] = np.where(wanted, np.maximum(high, held_high), held_high)

    def _overlaps(self, source: int, low: Places, high: Places, plans: _Chosen) -> Places:
        """(sender, device, plan): units of each sender's share, or of an input, that lie in the device's interval."""
        if source >= self._tables.layers:
            return np.maximum(high - low, 0)[None]
        share_low, share_high = self._shares(source, plans)
        return np.maximum(np.minimum(share_high[:, None], high) - np.maximum(share_low[:, None], low), 0)

    def _send(self, source: int, units: Places, messages: Places | Flags, plans: _Chosen) -> None:
        """So many messages of so many units, (sender, device, plan), through the ports.

        What is not one piece is copied first. Each sender serves the devices in their order. Messages that go equally
        far along the devices are booked together, for no two of them share a port. One that is through before all that
        its way in has booked goes first.
        """
        tables = self._tables
        senders, devices = len(units), len(tables.devices)
        is_input = source >= tables.layers
        nodes = slice(devices, None) if is_input else slice(devices)
        ready = self._clock[nodes, plans].copy() if is_input else self._ready_of(source, plans)
        whole = tables.extents[source] if is_input else self._own_units(source, plans)[:, None]
        unit_bytes = tables.bytes_per_unit[source]
        copy_s = units * (units != whole) * (unit_bytes * tables.copy_s_per_byte[nodes, None, None])
        handling_s = copy_s + messages * tables.message_s[nodes, None, None]
        wire_s = units * (unit_bytes * tables.seconds_per_byte[nodes, :-1, None])
        then_s = (tables.latency_s[nodes, :-1] + tables.message_s[:-1])[:, :, None]
        self._clock[nodes, plans] += handling_s.sum(axis=1)
        way_out_free, arrived = self._way_out_free[nodes, plans], self._arrived[:, plans]
        way_in_taken, way_in_free = self._way_in_taken[:-1, plans], self._way_in_free[:-1, plans]
        for offset in range(1 - senders, devices):
            sent = _diagonal(units, offset) > 0
            if not sent.any():
                continue
            sender = slice(max(0, -offset), min(senders, devices - offset))
            device = slice(sender.start + offset, sender.stop + offset)
            ready[sender] += _diagonal(handling_s, offset)
            on_wire_s = _diagonal(wire_s, offset)
            start = np.maximum(ready[sender], way_out_free[sender])
            goes_first = start + on_wire_s <= way_in_taken[device]
            start = np.where(goes_first, start, np.maximum(start, way_in_free[device]))
            end = start + on_wire_s
            np.copyto(way_in_taken[device], start, where=sent & (goes_first | (start > way_in_free[device])))
            np.maximum(way_in_free[device], end, out=way_in_free[device], where=sent)
            np.copyto(way_out_free[sender], end, where=sent)
            np.maximum(arrived[device], end + _diagonal(then_s, offset), out=arrived[device], where=sent)
        self._way_out_free[nodes, plans], self._arrived[:, plans] = way_out_free, arrived
        self._way_in_taken[:-1, plans], self._way_in_free[:-1, plans] = way_in_taken, way_in_free

    def _pieces(self, source: int, plans: _Chosen) -> Places | int:
        """(device, plan): in how many pieces each device has computed what it owns of a source; 1 if nothing."""
        if source >= self._tables.layers or not self._done[source, plans].any():
            return 1
        parts = np.where(self._done[source, plans], self._plans.parts[plans], 1)
        return np.clip(self._own_units(source, plans), 1, parts)

    def _messages(self, source: int, units: Places, plans: _Chosen) -> Places | Flags:
        """(sender, device, plan): in how many pieces so many units are sent, which lie at one of the sender's ends."""
        pieces = self._pieces(source, plans)
        if isinstance(pieces, int):
            return units > 0
        return -(-units * pieces[:, None] // np.maximum(self._own_units(source, plans), 1)[:, None])

    def _ready_of(self, source: int, plans: _Chosen) -> Array:
        """(device, plan): from when on the source can be sent."""
        return self._ready[self._group[source, plans], :, self._every_plan[plans]].T.copy()

    def _own_units(self, layer: int, plans: _Chosen) -> Places:
        """(device, plan): how much of a layer each device computes."""
        return self._own_high[layer][:, plans] - self._own_low[layer][:, plans]

    def _compute(self, layer: int) -> None:
        units = self._own_units(layer, _ALL) * ~self._done[layer]
        self._takes_part |= units > 0
        self._run_s += self._tables.seconds[layer][self._every_device, units]
        kept = ~self._exported[layer]
        if kept.any():
            self._run_s -= kept * self._tables.saved_s[layer][self._every_device, units]

    def _finish(self, layer: int) -> None:
        """Groups that end here run when all is there; what leaves them is ready then, borders that go first before."""
        plans = _chosen(self._ends[layer])
        end = np.maximum(self._clock[:-1, plans], self._arrived[:, plans]) + self._run_s[:, plans] + self._call_s
        ready = end
        first = np.flatnonzero(self._borders_first[layer, plans])
        if len(first):
            chosen = self._every_plan[plans][first]
            before_s, more_s = self._borders(layer, chosen)
            begun = end[:, first] - self._alone_s(layer, self._own_units(layer, chosen))
            end[:, first] += more_s
            # An output leaves whole, so it is ready when all of it is.
            if not self._tables.is_output[layer]:
                ready = end.copy()
                ready[:, first] = np.where(before_s > 0, begun + before_s, end[:, first])
        ran = self._ends[layer, plans] & self._takes_part[:, plans]
        self._clock[:-1, plans] = np.where(ran, end, self._clock[:-1, plans])
        # Of a group that has not ended, this is set again before it is read.
        places = self._group[layer, plans], slice(None), self._every_plan[plans]
        self._ready[places] = np.where(self._done[layer, plans], self._ready[places].T, ready).T

    def _alone_s(self, layer: int, units: Places) -> Array:
        """(device, plan): a run of one layer; none takes no time."""
        some = np.maximum(units, 0)
        return self._tables.seconds[layer][self._every_device, some] + (some > 0) * self._call_s

    def _borders(self, layer: int, plans: Places) -> tuple[Array, Array]:
        """(device, plan): what the rows that others need take alone, and how much dearer all is in three parts.

        Both are zero where others need nothing or everything.
        """
        low, high = self._shares(layer, plans)
        interior_low, interior_high = low.copy(), high.copy()
        for reader, edge in self._readers[layer]:
            own_low, own_high = self._own_low[reader][:, plans], self._own_high[reader][:, plans]
            reads = own_low < own_high
            need_low, need_high = edge.low[own_low], edge.high[own_high]
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
            low, high = self._shares(int(layer), _ALL)
            ready = self._ready_of(int(layer), _ALL)
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


def _chosen(flags: Flags) -> _Chosen:
    """The plans that are flagged; where these are many, all."""
    return _ALL if flags.mean() > _MANY else np.flatnonzero(flags)


def _diagonal(by_pair: NDArray[_Element], offset: int) -> NDArray[_Element]:
    """(sender, plan): what goes from each sender to the device that is so much further along."""
    return np.diagonal(by_pair, offset).T


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
