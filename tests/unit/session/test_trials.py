"""How many frames a trial has."""

from hypothesis import given
from hypothesis import strategies as st

from legion.session.trials import FRAMES, LEAST_S, MOST_FRAMES, done


def frames_of(latency_s: float, frames: int | None = None) -> int:
    count = 0
    while done([latency_s] * count, frames) < 1:
        count += 1
    return count


@given(latency_s=st.floats(1e-4, 10.0))
def test_a_trial_has_a_few_frames_and_more_of_short_ones(latency_s: float) -> None:
    count = frames_of(latency_s)
    assert FRAMES <= count <= MOST_FRAMES
    assert count == FRAMES or (count - 1) * latency_s < LEAST_S * (1 + 1e-9)
    assert count == MOST_FRAMES or count * latency_s >= LEAST_S * (1 - 1e-9)


@given(latency_s=st.floats(1e-4, 10.0), frames=st.integers(1, 30))
def test_frames_asked_for_are_not_changed(latency_s: float, frames: int) -> None:
    assert frames_of(latency_s, frames) == frames
