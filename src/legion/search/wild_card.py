"""One further merge of neighbouring groups, to be tried against the partition that prediction prefers."""

from dataclasses import dataclass
from itertools import pairwise

from legion.search.shortest_path import Costs, Partition, partition_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class WildCard:
    """The partition after the merge; `merged` is the place of the merged group in it."""

    partition: Partition
    merged: int


def wild_card(costs: Costs, partition: Partition) -> WildCard | None:
    """The merge of two neighbouring groups that looks most profitable: least T(merged) - T(left) - T(right).

    (f0..fk, fk+1..fm) becomes (f0..Wk, fk+2..fm). None where no two neighbours make a feasible group.
    """
    groups = partition.groups
    gains = [
        (costs[left[0], right[1] - 1] - costs[left[0], left[1] - 1] - costs[right[0], right[1] - 1], place)
        for place, (left, right) in enumerate(pairwise(groups))
        if costs[left[0], right[1] - 1] >= 0
    ]
    if not gains:
        return None
    _, place = min(gains)
    merged = (groups[place][0], groups[place + 1][1])
    after = (*groups[:place], merged, *groups[place + 2 :])
    return WildCard(partition=Partition(groups=after, total=partition_cost(costs, after)), merged=place)
