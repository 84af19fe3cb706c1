"""Sharing is read from what messages take together beyond the slowest one."""

from collections.abc import Sequence
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.profile.ports import PortSample, seconds_per_byte, sharing

ALONE_S = st.lists(st.floats(0.001, 10), min_size=2, max_size=6)


def sample(alone_s: Sequence[float], together_s: Sequence[float], size_bytes: int = 1) -> PortSample:
    return PortSample(
        direction="set", size_bytes=size_bytes, alone_s=_by_device(alone_s), together_s=_by_device(together_s)
    )


def _by_device(seconds: Sequence[float]) -> dict[str, tuple[float, ...]]:
    return {f"d{place}": (each,) * 3 for place, each in enumerate(seconds)}


def fluid(alone_s: Sequence[float], port_s: float) -> list[float]:
    """When messages of one size are through that share a port, on which one would take `port_s`, as flows share it.

    All get the same part of it, but those whose link is slower than that.
    """
    left, ends, now_s = dict(enumerate(alone_s)), [0.0] * len(alone_s), 0.0  # seconds alone that are still to come
    while left:
        rates, free = {}, 1.0 / port_s
        for place in sorted(left, key=lambda place: -alone_s[place]):
            rates[place] = min(1.0 / alone_s[place], free / (len(left) - len(rates)))
            free -= rates[place]
        step_s = min(left[place] / (rates[place] * alone_s[place]) for place in left)
        now_s += step_s
        for place in list(left):
            left[place] -= step_s * rates[place] * alone_s[place]
            if left[place] <= 1e-9 * alone_s[place]:
                ends[place] = now_s
                del left[place]
    return ends


@given(ALONE_S)
def test_a_shared_port_is_all_and_a_free_one_is_one_however_unequal_the_links(alone_s: list[float]) -> None:
    assert sharing(sample(alone_s, [*alone_s[1:], sum(alone_s)])) == pytest.approx(len(alone_s))
    assert sharing(sample(alone_s, alone_s)) == pytest.approx(1)


@given(ALONE_S)
def test_a_port_that_gets_in_nobodys_way_takes_no_time(alone_s: list[float]) -> None:
    found = seconds_per_byte(sample(alone_s, alone_s))
    assert found in {0.0, inf}
    if max(alone_s) < 2 * min(alone_s):
        assert found == 0.0


@given(st.integers(2, 6), st.floats(0.001, 10))
def test_a_port_as_fast_as_the_links_takes_as_long_as_they_whether_messages_share_it_or_follow(
    count: int, seconds: float
) -> None:
    alone_s = [seconds] * count
    following = sample(alone_s, [seconds * (place + 1) for place in range(count)], size_bytes=10)
    assert seconds_per_byte(sample(alone_s, fluid(alone_s, seconds), 10)) == pytest.approx(seconds / 10)
    assert seconds_per_byte(following) > 0.99 * seconds / 10


@given(st.integers(2, 6), st.floats(0.001, 10), st.floats(0.3, 1))
def test_the_last_of_all_is_predicted_when_it_was_seen(count: int, seconds: float, part: float) -> None:
    """By a port that lets the next message in after what the last one fills of it."""
    ends = fluid([seconds] * count, part * seconds)
    found = seconds_per_byte(sample([seconds] * count, ends))
    assert (count - 1) * found + seconds == pytest.approx(max(ends))


@given(st.lists(st.floats(0.5, 1), min_size=2, max_size=6))
def test_a_port_as_fast_as_the_fastest_of_unequal_links_is_seen(alone_s: list[float]) -> None:
    port_s = min(alone_s)
    assert seconds_per_byte(sample(alone_s, fluid(alone_s, port_s))) >= 0.99 * port_s


def test_the_order_in_which_messages_are_through_may_differ_from_round_to_round() -> None:
    together_s = {"a": (1.0, 3.0, 2.0), "b": (2.0, 1.0, 3.0), "c": (3.0, 2.0, 1.0)}
    alone_s = dict.fromkeys(together_s, (1.0,) * 3)
    mixed = PortSample(direction="set", size_bytes=1, alone_s=alone_s, together_s=together_s)
    assert sharing(mixed) == pytest.approx(3)
    assert seconds_per_byte(mixed) >= 1.0


def test_a_slow_link_says_nothing_of_the_port() -> None:
    alone_s = [1.0, 1.0, 1.0, 20.0]
    assert seconds_per_byte(sample(alone_s, fluid(alone_s, port_s=1.0))) > 1.0
    assert seconds_per_byte(sample(alone_s, fluid(alone_s, port_s=0.1))) == pytest.approx(0.0)
