"""Small changes of plans, drawn at random: what a local search tries."""

from collections.abc import Callable

import numpy as np

from legion.cost.tables import Places, Tables
from legion.search.row_plans import Flags, RowPlans

_ALONE = 0.3
"""How often a change is one of a single layer."""

_EVERYWHERE = 0.3
"""How often all layers are shared out as one of them."""

_BEFORE = 0.33
"""How often layers are shared out as the one before, where they follow another."""

_FAIRER = 0.67
"""How often what is dealt anew comes nearer to the devices' speeds."""

_FAVOUR = 0.3
"""Spread of the logarithm by which a device is given more or less."""

_PARTS = (1, 2, 3, 4, 6, 8)
"""In how many the first group may be computed."""

_TO_THE_END = 0.33
"""How often all that follows is handed over too."""


class Moves:
    """Draws moves for plans of one network; with `keep_shares`, only those that leave shares as they are."""

    def __init__(self, tables: Tables, random: np.random.Generator, *, keep_shares: bool = False) -> None:
        self._layers = np.arange(tables.layers)
        self._extents = tables.extents[: tables.layers]
        self._splittable = self._extents > 1
        self._is_fed = tables.is_fed
        self._boundaries = np.arange(len(tables.devices) + 1)
        self._devices = len(tables.devices)
        self._speeds = tables.speeds / tables.speeds.sum()
        self._random = random
        self._keep_shares = keep_shares
        # How often each is drawn, against the others; found by trying.
        kinds: dict[Callable[[RowPlans, Places], None], float] = {
            self._toggle_start: 3.0,
            self._move_start: 3.0,
            self._set_starts: 0.5,
            self._borders: 0.7,
            self._parts: 0.5,
        }
        if not keep_shares and self._devices > 1:
            kinds |= {self._shift: 4.0, self._align: 1.0, self._deal: 8.0}
            kinds |= {self._swap: 2.0, self._hand_over: 0.5, self._leave_out: 0.5}
        self._kinds = list(kinds)
        self._odds = np.array(list(kinds.values())) / sum(kinds.values())

    def make(self, plans: RowPlans, places: Places) -> None:
        """Change each plan at `places` of the batch, in place, by a move of any kind."""
        drawn = self._random.choice(len(self._kinds), len(places), p=self._odds)
        for kind, change in enumerate(self._kinds):
            if (drawn == kind).any():
                change(plans, places[drawn == kind])
        if not self._keep_shares:
            self._settle(plans, places)

    def _settle(self, plans: RowPlans, places: Places) -> None:
        """Layers inside a group are shared out as its last one is, so that a group that is split starts out well."""
        last = np.where(plans.ends[places], self._layers, len(self._layers))
        last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
        cuts = plans.cuts[places[:, None], last]
        plans.cuts[places] = self._scaled(cuts, self._extents[last])

    def _scaled(self, cuts: Places, extents: Places) -> Places:
        """Cuts of layers of these extents for all layers, in proportion; halves are rounded up."""
        return (2 * cuts * self._extents[:, None] + extents[..., None]) // (2 * extents[..., None])

    def _toggle_start(self, plans: RowPlans, places: Places) -> None:
        plans.starts[places, self._random.integers(len(self._layers), size=len(places))] ^= True
        plans.starts[places, 0] = True

    def _move_start(self, plans: RowPlans, places: Places) -> None:
        """A group begins one or two layers earlier or later."""
        before = self._any(plans.starts[places])
        after = np.clip(before + self._random.choice([-2, -1, 1, 2], len(places)), 0, len(self._layers) - 1)
        plans.starts[places, before] = False
        plans.starts[places, after] = True
        plans.starts[places, 0] = True

    def _set_starts(self, plans: RowPlans, places: Places) -> None:
        """Fuse several layers, or none of them."""
        span = self._span(self._random.integers(len(self._layers), size=len(places)))
        plans.starts[places] = np.where(span, self._coins(len(places)), plans.starts[places])
        plans.starts[places, 0] = True

    def _borders(self, plans: RowPlans, places: Places) -> None:
        layer = self._any(plans.starts[places] & plans.ends[places])
        wanted = ~plans.borders[places, layer][:, None] & ~self._is_fed
        plans.borders[places] = np.where(self._span(layer, alone=_ALONE), wanted, plans.borders[places])

    def _parts(self, plans: RowPlans, places: Places) -> None:
        plans.parts[places] = self._random.choice(_PARTS, len(places))

    def _shift(self, plans: RowPlans, places: Places) -> None:
        """Move neighbouring boundaries between devices, in one layer or in proportion in several.

        A device that is in the way gives up what it has.
        """
        layer = self._end(plans, places)
        some = self._span(layer, alone=_ALONE) & self._splittable
        first, last = self._interval(len(places))
        sign = self._random.choice([-1, 1], len(places))[:, None]
        extent = self._extents[layer][:, None]
        largest = np.maximum(1, extent // self._devices)
        step = sign * np.ceil(largest ** self._random.random((len(places), 1)))
        steps = np.rint(step * self._extents / extent).astype(np.int64)
        steps = np.where(steps == 0, sign, steps) * some
        moves = (self._boundaries >= first[:, None]) & (self._boundaries <= last[:, None])
        cuts = np.clip(plans.cuts[places] + steps[:, :, None] * moves[:, None], 0, self._extents[:, None])
        upwards = np.maximum.accumulate(cuts, axis=2)
        downwards = np.minimum.accumulate(cuts[:, :, ::-1], axis=2)[:, :, ::-1]
        plans.cuts[places] = np.where(sign[:, None] > 0, upwards, downwards)

    def _align(self, plans: RowPlans, places: Places) -> None:
        """Share layers out as the one before, or as any other."""
        layer = self._end(plans, places)
        before = self._random.random(len(places)) < _BEFORE
        model = np.where(before, np.maximum(0, layer - 1), self._end(plans, places))
        some = self._span(layer, alone=_ALONE) | (self._random.random((len(places), 1)) < _EVERYWHERE)
        some &= self._splittable & self._splittable[model][:, None]
        cuts = self._scaled(plans.cuts[places, model][:, None], self._extents[model][:, None])
        plans.cuts[places] = np.where(some[:, :, None], cuts, plans.cuts[places])

    def _deal(self, plans: RowPlans, places: Places) -> None:
        """Share layers out anew: as one of them is, or any other, or nearer to the devices' speeds.

        As often as not one device is given more or less. What rounding adds goes to other devices from group to group,
        or always to the same.
        """
        count = len(places)
        layer = self._end(plans, places)
        some = self._span(layer, alone=_ALONE) & self._splittable
        model = np.where(self._coins(count)[:, 0], layer, self._end(plans, places))
        shares = np.diff(plans.cuts[places, model], axis=1) / self._extents[model][:, None]
        fairness = self._random.random((count, 1)) * (self._random.random((count, 1)) < _FAIRER)
        shares = (1 - fairness) * shares + fairness * self._speeds
        favours = np.exp(_FAVOUR * self._random.normal(size=count) * self._random.integers(2, size=count))
        shares[np.arange(count), self._random.integers(self._devices, size=count)] *= favours
        fractions = np.cumsum(shares, axis=1)[:, :-1] / shares.sum(axis=1, keepdims=True)
        first, stride = self._random.random((2, count, 1))
        rounding = np.where(self._coins(count), 0.5, (first + stride * np.cumsum(plans.starts[places], axis=1)) % 1)
        cuts = np.floor(self._extents[:, None] * fractions[:, None] + rounding[:, :, None]).astype(np.int64)
        inner = np.s_[places, :, 1:-1]
        plans.cuts[inner] = np.where(some[:, :, None], np.minimum(cuts, self._extents[:, None]), plans.cuts[inner])

    def _hand_over(self, plans: RowPlans, places: Places) -> None:
        """All of some layers, or of all that follow, to one device."""
        layer = self._any(plans.ends[places])
        to_the_end = (self._random.random((len(places), 1)) < _TO_THE_END) & (self._layers >= layer[:, None])
        device = self._random.integers(self._devices, size=len(places))
        whole = self._extents[:, None] * (self._boundaries > device[:, None])[:, None]
        some = self._span(layer) | to_the_end
        plans.cuts[places] = np.where(some[:, :, None], whole, plans.cuts[places])

    def _leave_out(self, plans: RowPlans, places: Places) -> None:
        """One device has nothing of some layers, or of any, and the others have more."""
        some = self._span(self._end(plans, places)) | self._coins(len(places))
        shares = np.diff(plans.cuts[places], axis=2)
        shares[np.arange(len(places)), :, self._random.integers(self._devices, size=len(places))] = 0
        total = shares.sum(axis=2, keepdims=True)
        cuts = np.rint(np.cumsum(shares, axis=2) * self._extents[:, None] / np.maximum(total, 1)).astype(np.int64)
        some = some[:, :, None] & (total > 0)
        plans.cuts[places, :, 1:] = np.where(some, cuts, plans.cuts[places, :, 1:])

    def _swap(self, plans: RowPlans, places: Places) -> None:
        """Two devices have each other's part of some layers, or of all."""
        some = self._span(self._end(plans, places)) | self._coins(len(places))
        shares = np.diff(plans.cuts[places], axis=2)
        every = np.arange(len(places))
        one, other = self._random.integers(self._devices, size=(2, len(places)))
        shares[every, :, one], shares[every, :, other] = shares[every, :, other], shares[every, :, one]
        plans.cuts[places, :, 1:] = np.where(some[:, :, None], np.cumsum(shares, axis=2), plans.cuts[places, :, 1:])

    def _end(self, plans: RowPlans, places: Places) -> Places:
        """Of each plan, a layer that ends a group and can be split, if there is any."""
        return self._any(plans.ends[places] & self._splittable)

    def _any(self, flags: Flags) -> Places:
        """By row, a place that is flagged, if there is any."""
        return np.argmax(self._random.random(flags.shape) * flags, axis=1)

    def _span(self, layer: Places, *, alone: float = 0.0) -> Flags:
        """(plan, layer): some layers that follow, or that precede, or `layer` alone as often as said."""
        count = len(layer)
        length = self._random.geometric(1 / max(2.0, len(self._layers) / 6), count)
        length = np.where(self._random.random(count) < alone, 0, length)
        first = layer - length * self._random.integers(2, size=count)
        return (self._layers >= first[:, None]) & (self._layers <= (first + length)[:, None])

    def _interval(self, count: int) -> tuple[Places, Places]:
        """Boundaries between devices, first and last; one alone as often as not."""
        drawn = self._random.integers(1, self._devices, (2, count))
        drawn[1] = np.where(self._coins(count)[:, 0], drawn[0], drawn[1])
        return drawn.min(axis=0), drawn.max(axis=0)

    def _coins(self, count: int) -> Flags:
        return self._random.integers(2, size=(count, 1)) > 0
