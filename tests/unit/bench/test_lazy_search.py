"""The lazy search replayed on recorded groups."""

from bench.lazy_search import _replayed, _table
from bench.paper.results import MeasuredGroup

MEASURED_S = {(0, 1): 1.0, (1, 2): 1.0, (0, 2): 1.9}


def group(first: int, end: int, predicted_s: float) -> MeasuredGroup:
    measured_s = MEASURED_S[first, end]
    return MeasuredGroup(
        first=first,
        end=end,
        latency_s=(measured_s, 9.0, 0.0),
        run_s={},
        overrun_s=(0.0,) * 3,
        predicted_run_s={},
        predicted_s={"simulator": predicted_s},
    )


def test_losses_are_those_of_the_recorded_table() -> None:
    groups = [group(0, 1, 0.8), group(0, 2, 1.7), group(1, 2, 0.8)]
    replayed = _replayed("vgg16", "2F", "simulator", groups)
    assert (replayed.groups, replayed.tried, replayed.frames) == (3, 3, 3)
    assert (replayed.loss, replayed.loss_of_wild_card) == (0.0, 0.0)
    assert replayed.loss_of_prediction == 2.0 / 1.9 - 1
    assert replayed.measured_s == replayed.all_s == 1.0 + 1.0 + 1.9
    assert "| simulator | worst |  |  | 100.0% | 100.0% | 0.00% | 5.26% | 0.00% |" in _table([replayed])


def test_groups_that_cannot_win_are_not_asked_for() -> None:
    replayed = _replayed("vgg16", "2F", "simulator", [group(0, 1, 3.0), group(0, 2, 1.9), group(1, 2, 3.0)])
    assert (replayed.tried, replayed.measured_s, replayed.loss) == (1, 1.9, 0.0)
