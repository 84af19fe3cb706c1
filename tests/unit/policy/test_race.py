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
    best, report = race(predicted, lambda place: predicted[place], safest=place_of_most(predicted))
    assert predicted[best] == min(predicted)
    close = [seconds for seconds in predicted if seconds * 0.97 <= min(predicted) * (1 - WORTH)]
    safest = len(close) == len(predicted) > MOST_TRIALS
    assert len(report.tried) == min(max(1, len(close)), MOST_TRIALS) + safest


@given(pairs=st.lists(st.tuples(SECONDS, st.floats(0.5, 2.0)), min_size=1, max_size=10))
def test_the_fastest_of_the_tried_is_kept_and_the_certificate_holds(pairs: list[tuple[float, float]]) -> None:
    predicted = [seconds for seconds, _ in pairs]
    measured = [seconds * error for seconds, error in pairs]
    asked: list[int] = []
    safest = place_of_most(predicted)
    best, report = race(predicted, lambda place: asked.append(place) or measured[place], safest=safest)
    tried = [each.measured_s for each in report.tried]
    assert measured[best] == min(tried) == tried[report.kept]
    optimism = min(0.97, *(each.measured_s / each.predicted_s for each in report.tried))
    least_hidden = min((predicted[p] * optimism for p in range(len(pairs)) if measured[p] not in tried), default=inf)
    if report.hidden <= WORTH:
        assert least_hidden >= measured[best] * (1 - WORTH) * (1 - 1e-9)
    else:
        assert len(report.tried) == len(asked) == MOST_TRIALS + (safest in asked[MOST_TRIALS:])


def test_what_does_not_fit_is_passed_over() -> None:
    best, report = race([1.0, 2.0, 3.0], lambda place: inf if place == 0 else 2.0, safest=2)
    assert best == 1
    assert all(each.measured_s < inf for each in report.tried)
    assert report.hidden < 0
    with pytest.raises(InfeasibleError, match="none of the 1 best plans"):
        race([1.0], lambda _: inf, safest=0)


def test_where_predictions_of_all_others_are_wrong_the_safest_is_tried_too() -> None:
    predicted = [5.0, *(1.0 + place / 10 for place in range(2 * MOST_TRIALS))]
    best, report = race(predicted, lambda place: 5.5 if place == 0 else 10.0, safest=0)
    assert best == 0
    assert len(report.tried) == MOST_TRIALS + 1
