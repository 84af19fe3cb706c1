"""Small changes of a plan, drawn at random: what a local search tries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from legion.cost.tables import Places, Tables
from legion.search.row_plans import Flags, RowPlans

Generator = np.random.Generator


@dataclass(slots=True, eq=False)
class Draft:
    """One plan that is being changed: as in `RowPlans`, without the first axis."""

    starts: Flags
    cuts: Places
    borders: Flags


Move = Callable[[Draft], None]
"""Changes a draft; moves drawn from the same plan may be applied together."""


class Moves:
    """Draws moves for plans of one network; with `keep_shares`, only those that leave shares as they are."""

    def __init__(self, tables: Tables, seed: int, *, keep_shares: bool = False) -> None:
        self._extents = tables.extents[: tables.layers]
        self._devices = len(tables.devices)
        self._splittable = np.flatnonzero(self._extents > 1)
        self._random = np.random.default_rng(seed)
        self._kinds: list[Callable[[], Move]] = [self._toggle_start, self._span_starts, self._borders]
        if not keep_shares:
            self._kinds += [self._shift, self._shift, self._shift_span, self._shift_span, self._align, self._hand_over]

    def draw(self) -> Move:
        """A move of any kind."""
        return self._kinds[self._random.integers(len(self._kinds))]()

    def _toggle_start(self) -> Move:
        layer = int(self._random.integers(1, max(2, len(self._extents))))

        def apply(draft: Draft) -> None:
            if layer < len(draft.starts):
                draft.starts[layer] ^= True

        return apply

    def _shift(self) -> Move:
        """Move one boundary between devices in one layer."""
        layer = self._layer()
        return self._shifted(slice(layer, layer + 1), layer)

    def _shift_span(self) -> Move:
        """Move one boundary in several layers, in proportion to their extents."""
        layer = self._layer()
        return self._shifted(self._span(layer), layer)

    def _shifted(self, span: slice, layer: int) -> Move:
        extent = int(self._extents[layer])
        boundary = int(self._random.integers(1, max(2, self._devices)))
        largest = max(1, extent // max(1, self._devices))
        step = int(np.ceil(largest ** self._random.random())) * int(self._random.choice([-1, 1]))
        steps = np.rint(step * self._extents[span] / extent).astype(np.int64)
        steps = np.where(self._extents[span] > 1, np.where(steps == 0, np.sign(step), steps), 0)

        def apply(draft: Draft) -> None:
            if boundary >= self._devices:
                return
            cuts = draft.cuts[span]
            wanted = np.clip(cuts[:, boundary] + steps, 0, self._extents[span])
            # A device that is in the way gives up what it has, and loses its part if that is not enough.
            if step > 0:
                cuts[:, boundary:-1] = np.maximum(cuts[:, boundary:-1], wanted[:, None])
            else:
                cuts[:, 1 : boundary + 1] = np.minimum(cuts[:, 1 : boundary + 1], wanted[:, None])

        return apply

    def _span_starts(self) -> Move:
        span, value = self._span(self._layer()), bool(self._random.integers(2))

        def apply(draft: Draft) -> None:
            draft.starts[span] = value
            draft.starts[0] = True

        return apply

    def _borders(self) -> Move:
        layer = self._layer()
        span = self._span(layer) if self._random.integers(2) else slice(layer, layer + 1)
        value = bool(self._random.integers(2))

        def apply(draft: Draft) -> None:
            draft.borders[span] = value

        return apply

    def _align(self) -> Move:
        """Share layers out as the one before or behind them."""
        layer = self._layer()
        span, model = self._span(layer), self._layer()
        if self._random.integers(2):
            model = max(0, layer - 1)

        def apply(draft: Draft) -> None:
            if self._extents[model] > 1:
                cuts = np.rint(draft.cuts[model] * self._extents[span, None] / self._extents[model]).astype(np.int64)
                draft.cuts[span] = np.where(self._extents[span, None] > 1, cuts, draft.cuts[span])

        return apply

    def _hand_over(self) -> Move:
        """All of some layers to one device."""
        span, device = self._span(self._layer()), int(self._random.integers(self._devices))
        if self._random.integers(3) == 0:
            span = slice(span.start, None)

        def apply(draft: Draft) -> None:
            draft.cuts[span] = self._extents[span, None] * (np.arange(self._devices + 1) > device)

        return apply

    def _layer(self) -> int:
        """One that can be split, if there is any."""
        return int(self._random.choice(self._splittable)) if len(self._splittable) else 0

    def _span(self, layer: int) -> slice:
        length = int(self._random.geometric(1 / max(2.0, len(self._extents) / 6)))
        return slice(layer, min(layer + 1 + length, len(self._extents)))


def applied(plans: RowPlans, index: int, changes: Sequence[Sequence[Move]]) -> RowPlans:
    """A batch of one plan, changed by each sequence of moves."""
    count = len(changes)
    batch = RowPlans(
        starts=np.repeat(plans.starts[index : index + 1], count, axis=0),
        cuts=np.repeat(plans.cuts[index : index + 1], count, axis=0),
        borders=np.repeat(plans.borders[index : index + 1], count, axis=0),
    )
    for place, moves in enumerate(changes):
        draft = Draft(starts=batch.starts[place], cuts=batch.cuts[place], borders=batch.borders[place])
        for move in moves:
            move(draft)
    return batch
