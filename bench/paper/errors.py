"""How far predictions are from what was measured."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np

from bench.paper.results import MeasuredGroup

WITHIN = 0.1

Pair = tuple[float, float]
"""Predicted and measured seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Of predicted over measured less one; all but `mean` of its absolute value, `within` the share of at most 10 %."""

    count: int
    mean: float
    mean_absolute: float
    percentile_95: float
    within: float


def errors_of(pairs: Iterable[Pair]) -> Errors | None:
    """None of no pairs."""
    found = np.array([predicted_s / measured_s - 1 for predicted_s, measured_s in pairs])
    if not len(found):
        return None
    absolute = np.abs(found)
    return Errors(
        count=len(found),
        mean=float(found.mean()),
        mean_absolute=float(absolute.mean()),
        percentile_95=float(np.percentile(absolute, 95)),
        within=float((absolute <= WITHIN).mean()),
    )


ERROR_HEADER = ("runs", "mean absolute error", "95th percentile", "within 10 %", "mean error")


def error_cells(errors: Errors | None) -> list[str]:
    """A row of a table under `ERROR_HEADER`."""
    if errors is None:
        return ["0", *[""] * (len(ERROR_HEADER) - 1)]
    return [
        str(errors.count),
        f"{errors.mean_absolute:.1%}",
        f"{errors.percentile_95:.1%}",
        f"{errors.within:.0%}",
        f"{errors.mean:+.1%}",
    ]


def run_pairs(groups: Iterable[MeasuredGroup], predictor: str) -> Iterator[Pair]:
    """Each device's runs of the groups that no profile holds, those of two layers or more; without idle devices."""
    for group in groups:
        predicted_s = group.predicted_run_s.get(predictor, {})
        if group.end - group.first > 1:
            for device, seconds in group.run_s.items():
                if device in predicted_s and median(seconds) > 0:
                    yield predicted_s[device], median(seconds)


def latency_pairs(groups: Iterable[MeasuredGroup], way: str) -> Iterator[Pair]:
    """A whole group from the first byte that is scattered to the last one that is gathered."""
    for group in groups:
        if way in group.predicted_s:
            yield group.predicted_s[way], median(group.latency_s)


def transfer_pairs(groups: Iterable[MeasuredGroup], ports: str) -> Iterator[Pair]:
    """What scatter and gather add to a group's longest runs on a device; runs are put in as measured on both sides."""
    for group in groups:
        way = f"{ports}, measured runs"
        longest_s = max(median(seconds) for seconds in group.run_s.values())
        if way in group.predicted_s and (added_s := median(group.latency_s) - longest_s) > 0:
            yield group.predicted_s[way] - longest_s, added_s
