"""Prediction errors: which groups count, and what is compared with what."""

import pytest
from bench.paper.errors import errors_of, latency_pairs, run_pairs, transfer_pairs
from bench.paper.results import MeasuredGroup
from hypothesis import given
from hypothesis import strategies as st

RATIOS = st.lists(st.floats(0.1, 3), min_size=1, max_size=20)


def group(first: int, end: int) -> MeasuredGroup:
    return MeasuredGroup(
        first=first,
        end=end,
        latency_s=(0.9, 1.0, 5.0),
        run_s={"a": (0.6, 0.6, 9.0), "b": (0.4, 0.4, 0.4), "idle": (0.0, 0.0, 0.0)},
        overrun_s=(0.0, 0.0, 0.0),
        predicted_run_s={"E*A": {"a": 0.66, "b": 0.3, "idle": 0.0}},
        predicted_s={"parallel": 0.8, "parallel, measured runs": 0.9},
    )


def test_of_no_pairs_there_are_no_errors() -> None:
    assert errors_of([]) is None


@given(RATIOS, st.floats(0.001, 100))
def test_errors_do_not_depend_on_the_unit(ratios: list[float], measured_s: float) -> None:
    errors = errors_of((ratio * measured_s, measured_s) for ratio in ratios)
    assert errors is not None
    assert errors.count == len(ratios)
    assert errors.mean == pytest.approx(sum(ratios) / len(ratios) - 1, abs=1e-9)
    assert abs(errors.mean) <= errors.mean_absolute + 1e-9
    assert errors.percentile_95 <= max(abs(ratio - 1) for ratio in ratios) + 1e-9


def test_within_counts_errors_up_to_a_tenth_on_either_side() -> None:
    errors = errors_of([(1.05, 1.0), (0.95, 1.0), (1.2, 1.0), (0.8, 1.0)])
    assert errors is not None
    assert errors.within == 0.5


def test_single_layers_and_idle_devices_do_not_count_as_held_out_runs() -> None:
    groups = [group(0, 1), group(0, 2)]
    assert list(run_pairs(groups, "E*A")) == [(0.66, 0.6), (0.3, 0.4)]
    assert list(run_pairs(groups, "aofl")) == []


def test_latencies_are_medians_and_transfers_what_comes_on_top_of_the_longest_runs() -> None:
    assert list(latency_pairs([group(0, 1)], "parallel")) == [(0.8, 1.0)]
    ((predicted_s, added_s),) = transfer_pairs([group(0, 1)], "parallel")
    assert (predicted_s, added_s) == (pytest.approx(0.3), pytest.approx(0.4))
    assert list(transfer_pairs([group(0, 1)], "one at a time")) == []
