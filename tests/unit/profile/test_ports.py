"""Sharing is read from what two messages take together beyond the slower one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.profile.ports import PortSample, sharing

SECONDS = st.floats(0.001, 10)


def sample(one_s: float, other_s: float, together_s: float) -> PortSample:
    return PortSample(
        direction="set", size_bytes=1, alone_s={"a": (one_s,) * 3, "b": (other_s,) * 3}, together_s=(together_s,) * 3
    )


@given(SECONDS, SECONDS)
def test_a_shared_port_is_two_and_a_free_one_is_one_however_unequal_the_links(one_s: float, other_s: float) -> None:
    assert sharing(sample(one_s, other_s, one_s + other_s)) == pytest.approx(2)
    assert sharing(sample(one_s, other_s, max(one_s, other_s))) == pytest.approx(1)
