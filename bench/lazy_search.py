"""How many groups must be measured to choose as the full search does? On recorded tables, without devices.

Method: the full search of each cell of `bench.paper` left what every group took, the median of its frames, beside what
was predicted of it, in three ways. The lazy search asks that table instead of devices. Its loss is by how much the sum
over its partition's groups is above the least sum of the whole table; beside it stand what the partition of least
predicted sum loses, and the better of this and the paper's wild card. `measured_s` over `all_s` is what the groups that
it measured took of what all took, a frame each. Tables of single frames are noisy by 4 to 8 %: the least sum of such a
table is partly luck, and losses below a per cent say little there.

`python -m bench.lazy_search`, or with a folder of other cells; takes seconds.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import numpy as np

from bench.markdown import markdown_table
from bench.paper.cell_files import read_cells
from bench.paper.cells import PAPER_RESULTS
from bench.paper.results import MeasuredGroup
from bench.results_file import write_results
from legion.search.lazy_shortest_path import lazy_shortest_path
from legion.search.shortest_path import Costs, Partition, least_cost_partition, partition_cost
from legion.search.wild_card import wild_card

PREDICTORS = ("one at a time", "simulator", "parallel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A lazy search by one predictor in one cell; `frames` of each group. Losses are fractions of the least sum."""

    model: str
    devices: str
    predictor: str
    frames: int
    groups: int
    tried: int
    measured_s: float
    all_s: float
    optimism: float
    hidden: float
    loss: float
    loss_of_prediction: float
    loss_of_wild_card: float


def main(words: Sequence[str]) -> None:
    """Replay all cells, print what comes out, and write it."""
    folder = Path(words[0]) if words else PAPER_RESULTS
    results = [
        _replayed(model, devices, predictor, cell.groups)
        for predictor in PREDICTORS
        for (model, devices), cell in read_cells(folder).items()
        if cell.groups
    ]
    print(_table(results))
    write_results("lazy_search", __doc__ or "", results)


def _replayed(model: str, devices: str, predictor: str, groups: Sequence[MeasuredGroup]) -> Replayed:
    measured = _matrix(groups, (median(group.latency_s) for group in groups))
    predicted = _matrix(groups, (group.predicted_s[predictor] for group in groups))
    found = lazy_shortest_path(predicted, lambda first, last: float(measured[first, last]))
    tried = found.costs >= 0
    by_prediction = least_cost_partition(predicted)
    card = wild_card(predicted, by_prediction)
    with_wild_card = [_loss(measured, each) for each in (by_prediction, card and card.partition) if each]
    return Replayed(
        model=model,
        devices=devices,
        predictor=predictor,
        frames=len(groups[0].latency_s),
        groups=len(groups),
        tried=int(tried.sum()),
        measured_s=float(measured[tried].sum()),
        all_s=float(measured[measured >= 0].sum()),
        optimism=found.optimism,
        hidden=found.hidden,
        loss=_loss(measured, least_cost_partition(found.costs)),
        loss_of_prediction=_loss(measured, by_prediction),
        loss_of_wild_card=min(with_wild_card),
    )


def _matrix(groups: Sequence[MeasuredGroup], seconds: Iterable[float]) -> Costs:
    layers = max(group.end for group in groups)
    costs = np.full((layers, layers), -1.0)
    for group, value in zip(groups, seconds, strict=True):
        costs[group.first, group.end - 1] = value
    return costs


def _loss(measured: Costs, partition: Partition) -> float:
    return partition_cost(measured, partition.groups) / least_cost_partition(measured).total - 1


def _table(results: Sequence[Replayed]) -> str:
    """A row per cell and predictor, and each predictor's means and worsts."""
    header = ("prediction", "network", "devices", "groups", "tried", "time", "loss", "prediction alone", "wild card")
    rows = [
        (
            each.predictor,
            each.model,
            each.devices,
            each.groups,
            each.tried,
            f"{each.measured_s / each.all_s:.1%}",
            *(f"{loss:.2%}" for loss in (each.loss, each.loss_of_prediction, each.loss_of_wild_card)),
        )
        for each in results
    ]
    return markdown_table(header, [*rows, *_summaries(results)])


def _summaries(results: Sequence[Replayed]) -> Iterator[tuple[object, ...]]:
    for predictor in dict.fromkeys(each.predictor for each in results):
        of_predictor = [each for each in results if each.predictor == predictor]
        for name, of in (("mean", mean), ("worst", max)):
            yield (
                predictor,
                name,
                "",
                "",
                f"{of(each.tried / each.groups for each in of_predictor):.1%}",
                f"{of(each.measured_s / each.all_s for each in of_predictor):.1%}",
                f"{of(each.loss for each in of_predictor):.2%}",
                f"{of(each.loss_of_prediction for each in of_predictor):.2%}",
                f"{of(each.loss_of_wild_card for each in of_predictor):.2%}",
            )


if __name__ == "__main__":
    main(sys.argv[1:])
