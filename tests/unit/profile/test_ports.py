"""Sharing is read from what messages take together beyond the slowest one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.profile.ports import PortSample, seconds_per_byte, sharing

ALONE_S = st.lists(st.floats(0.001, 10), min_size=2, max_size=6)


def sample(alone_s: list[float], together_s: float, size_bytes: int = 1) -> PortSample:
    return PortSample(
        direction="set",
        size_bytes=size_bytes,
        alone_s={f"d{place}": (seconds,) * 3 for place, seconds in enumerate(alone_s)},
        together_s=(together_s,) * 3,
    )


@given(ALONE_S)
def test_a_shared_port_is_all_and_a_free_one_is_one_however_unequal_the_links(alone_s: list[float]) -> None:
    assert sharing(sample(alone_s, sum(alone_s))) == pytest.approx(len(alone_s))
    assert sharing(sample(alone_s, max(alone_s))) == pytest.approx(1)


@given(ALONE_S)
def test_a_port_is_as_fast_as_all_together_were(alone_s: list[float]) -> None:
    assert seconds_per_byte(sample(alone_s, 6.0, size_bytes=10)) == pytest.approx(0.6 / len(alone_s))
