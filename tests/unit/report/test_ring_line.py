"""How it is told what devices share of the network."""

from types import SimpleNamespace

import pytest

from legion.profile.ring import RingSample
from legion.profile.samples import Profile
from legion.report.tables import ring_line


@pytest.mark.parametrize(("exchange_s", "told"), [(1.5e-4, "0.15 ms later"), (-2e-4, "0.20 ms sooner")])
def test_a_ring_tells_whether_devices_reach_one_another_later_or_sooner(exchange_s, told):
    profile = Profile(devices={}, ring=RingSample(devices=("a", "b"), size_bytes=1, seconds=(9.0, 6e-4, 5e-4)))
    line = ring_line(SimpleNamespace(exchange_s=exchange_s), profile)
    assert line is not None
    assert "0.60 ms from one to the next" in line
    assert f"{told} than their links to the controller say" in line


def test_without_a_ring_nothing_is_told():
    assert ring_line(SimpleNamespace(exchange_s=0.0), Profile(devices={})) is None
