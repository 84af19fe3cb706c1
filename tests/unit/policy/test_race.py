"""Who is tried, who wins, and what may be hidden."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.errors import InfeasibleError
from legion.policy.race import MOST_TRIALS, WORTH, race

SECONDS = st.floats(0.01, 10.0)


def place_of_most(predicted: list[float]) -> int:
    """Of equal ones the last, as a race has them in order."""
    return max(range(len(predicted)), key=lambda place: (predicted[place], place))


@given(predicted=st.lists(SECONDS, min_size=1, max_size=10))
def test_true_predictions_need_one_trial_or_a_close_second(predicted: list[float]) -> None:
    safest = place_of_most(predicted)
    best, report = race(predicted, lambda place: predicted[place], safest=safest)
    least = min(predicted)
    assert predicted[best] * (1 - WORTH) <= least
    others = [seconds for place, seconds in enumerate(predicted) if place != safest]
    close = sum(seconds * 0.97 <= least * (1 - WORTH) for seconds in others)
    possible = predicted[safest] * 0.75 <= least * (1 - WORTH)
    assert len(report.tried) == (min(close, MOST_TRIALS) + possible if others else 1)


@given(
    pairs=st.lists(st.tuples(SECONDS, st.floats(0.5, 2.0)), min_size=1, max_size=10),
    safest=st.integers(0, 9),
)
def test_none_but_the_safest_is_kept_before_a_faster_one(pairs: list[tuple[float, float]], safest: int) -> None:
    safest %= len(pairs)
    measured = [seconds * error for seconds, error in pairs]
    asked: list[int] = []
    best, report = race([seconds for seconds, _ in pairs], lambda at: asked.append(at) or measured[at], safest=safest)
    tried = [measured[place] for place in asked]
    assert [each.measured_s for each in report.tried] == tried
    assert measured[best] == tried[report.kept]
    assert measured[best] == min(tried) or (best == safest and measured[best] * (1 - WORTH) <= min(tried))
    assert best == safest or safest not in asked or measured[best] < measured[safest] * (1 - WORTH)


@given(
    pairs=st.lists(st.tuples(SECONDS, st.floats(0.5, 2.0)), min_size=1, max_size=10),
    safest=st.integers(0, 9),
)
def test_the_certificate_holds(pairs: list[tuple[float, float]], safest: int) -> None:
    safest %= len(pairs)
    predicted = [seconds for seconds, _ in pairs]
    asked: list[int] = []
    _, report = race(predicted, lambda at: asked.append(at) or predicted[at] * pairs[at][1], safest=safest)
    least = min(predicted[place] * pairs[place][1] for place in asked)
    optimism = min([0.97, *(pairs[place][1] for place in asked if place != safest)])
    factors = {place: min(optimism, 0.75) if place == safest else optimism for place in range(len(pairs))}
    hidden = [predicted[place] * factors[place] for place in range(len(pairs)) if place not in asked]
    if len(asked) < MOST_TRIALS:
        assert all(seconds > least * (1 - WORTH) * (1 - 1e-9) for seconds in hidden)
    kept_s = report.tried[report.kept].measured_s
    assert report.hidden == pytest.approx(max((1 - seconds / kept_s for seconds in hidden), default=0.0))


def test_what_does_not_fit_is_passed_over() -> None:
    best, report = race([1.0, 2.0, 3.0], lambda place: inf if place == 0 else 2.0, safest=2)
    assert best == 1
    assert all(each.measured_s < inf for each in report.tried)
    assert report.hidden < 0
    with pytest.raises(InfeasibleError, match="none of 1 plans"):
        race([1.0], lambda _: inf, safest=0)


def test_what_does_not_fit_costs_no_trial() -> None:
    predicted = [9.0, *(1.0 + place / 100 for place in range(2 * MOST_TRIALS))]
    fits = 2 * MOST_TRIALS
    assert race(predicted, lambda place: 1.0 if place == fits else inf, safest=0)[0] == fits


def test_where_predictions_of_all_others_are_wrong_the_safest_is_tried_too() -> None:
    predicted = [5.0, *(1.0 + place / 10 for place in range(2 * MOST_TRIALS))]
    best, report = race(predicted, lambda place: 5.5 if place == 0 else 10.0, safest=0)
    assert best == 0
    assert len(report.tried) == MOST_TRIALS + 1


def test_right_predictions_of_others_do_not_rule_the_safest_out() -> None:
    predicted = [1.3, 1.0, 1.2]
    best, _ = race(predicted, lambda place: 0.99 if place == 0 else predicted[place], safest=0)
    assert best == 0


def test_the_safest_wins_a_draw() -> None:
    assert race([1.05, 1.0], lambda place: (1.0, 0.995)[place], safest=0)[0] == 0
    assert race([1.05, 1.0], lambda place: (1.0, 0.985)[place], safest=0)[0] == 1


def test_where_no_plan_is_the_safest_the_fastest_wins() -> None:
    best, report = race([1.0, 1.001, 5.0], [1.1, 1.095, 5.0].__getitem__, None)
    assert best == 1
    assert len(report.tried) == 2
