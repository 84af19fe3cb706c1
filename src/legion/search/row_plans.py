"""Plans as arrays: where groups begin, how each layer is shared out, what is computed in several runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from legion.cost.tables import Places

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowPlans:
    """A batch of plans of consecutive layers in groups.

    `starts` is (plan, layer): whether a group begins there; true for the first layer. `cuts` is (plan, layer, device +
    1): the device d owns `cuts[d]`..`cuts[d + 1]` of a layer that leaves its group. `borders` is (plan, layer): whether
    what others need of a layer that is a group of its own is computed and sent before the rest; false for layers that
    read the model's inputs. `parts` is (plan,): in how many runs each device computes its share of the first group, all
    devices being fed for the first before any is fed for the second; at least one.
    """

    starts: Flags
    cuts: Places
    borders: Flags
    parts: Places

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, chosen: slice | Sequence[int] | NDArray[np.int64]) -> "RowPlans":
        """The batch of the plans chosen; one of a slice shares their memory."""
        return RowPlans(
            starts=self.starts[chosen],
            cuts=self.cuts[chosen],
            borders=self.borders[chosen],
            parts=self.parts[chosen],
        )

    @property
    def ends(self) -> Flags:
        """(plan, layer): whether a group ends there."""
        return np.concatenate([self.starts[:, 1:], np.ones((len(self), 1), dtype=np.bool_)], axis=1)

    @property
    def borders_first(self) -> Flags:
        """(plan, layer): whether `borders` is asked for where a layer is a group of its own; elsewhere it is idle."""
        return self.borders & self.starts & self.ends


def room(plans: RowPlans, count: int) -> RowPlans:
    """So many plans like these, of which nothing is known yet."""
    return RowPlans(
        starts=np.empty((count, *plans.starts.shape[1:]), dtype=np.bool_),
        cuts=np.empty((count, *plans.cuts.shape[1:]), dtype=np.int64),
        borders=np.empty((count, *plans.borders.shape[1:]), dtype=np.bool_),
        parts=np.empty(count, dtype=np.int64),
    )


def joined(batches: Sequence[RowPlans]) -> RowPlans:
    """All plans of several batches."""
    return RowPlans(
        starts=np.concatenate([batch.starts for batch in batches]),
        cuts=np.concatenate([batch.cuts for batch in batches]),
        borders=np.concatenate([batch.borders for batch in batches]),
        parts=np.concatenate([batch.parts for batch in batches]),
    )
