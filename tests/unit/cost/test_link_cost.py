"""Links: the fit finds what made the samples, and never goes below zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.cost.link_cost import Link, Ports, between, fit_link, fit_ports, fraction_of
from legion.errors import InputError
from unit.profile.profile_building import device_profile, link_sample

SIZES = st.lists(st.integers(1, 10**7), min_size=2, max_size=8, unique=True)


@given(SIZES, st.floats(0, 0.1), st.floats(1e4, 1e10))
def test_exact_samples_are_reproduced(sizes, latency_s, bandwidth):
    seconds = [latency_s + size / bandwidth for size in sizes]
    link = fit_link(sizes, seconds)
    assert [link.seconds(size) for size in sizes] == pytest.approx(seconds, rel=1e-5, abs=1e-9)


@given(SIZES, st.lists(st.floats(0, 10), min_size=8, max_size=8))
def test_coefficients_are_never_negative(sizes, seconds):
    link = fit_link(sizes, seconds[: len(sizes)])
    assert link.latency_s >= 0
    assert link.seconds_per_byte >= 0
    assert 0 <= link.burst_bytes <= max(sizes)


def test_falling_times_give_a_constant_and_steep_ones_no_latency():
    assert fit_link([100, 10_000], [2.0, 1.0]).seconds_per_byte == 0
    assert fit_link([1_000, 10_000], [1.0, 20.0]).latency_s == 0


def test_noise_of_large_messages_leaves_the_latency_alone():
    link = fit_link([100, 1_000, 10_000_000, 20_000_000], [1e-3, 1.1e-3, 1.1, 1.8])
    assert link.latency_s == pytest.approx(1e-3, rel=0.05)


def test_small_messages_that_pass_as_a_burst_leave_the_bandwidth_alone():
    link = fit_link([1_000, 10_000, 50_000, 250_000], [2e-4, 2e-4, 3.45e-3, 20.3e-3])
    assert 1 / link.seconds_per_byte == pytest.approx(200e3 / 16.85e-3, rel=1e-6)
    assert link.latency_s == 2e-4
    assert link.burst_bytes == pytest.approx(50_000 - (3.45e-3 - 2e-4) / link.seconds_per_byte)


@given(st.floats(0, 1e-3), st.floats(1e5, 1e9), st.floats(2_001, 40_000))
def test_a_burst_is_found(latency_s, bandwidth, burst_bytes):
    made = Link(latency_s=latency_s, seconds_per_byte=1 / bandwidth, burst_bytes=burst_bytes)
    sizes = [1_000, 10_000, 40_000, 160_000]
    found = fit_link(sizes, [made.seconds(size) for size in sizes])
    assert found.seconds_per_byte == pytest.approx(made.seconds_per_byte, rel=1e-6)
    assert found.latency_s == pytest.approx(latency_s, rel=1e-6)
    assert found.burst_bytes == pytest.approx(burst_bytes, rel=1e-3)


def test_ports_take_the_median_of_each_direction():
    profile = device_profile(
        links=[
            link_sample("set", 1_000, [2.0, 1.0, 99.0]),
            link_sample("set", 2_000, [4.0]),
            link_sample("get", 1_000, [5.0]),
            link_sample("get", 3_000, [15.0]),
        ]
    )
    ports = fit_ports(profile)
    assert ports.inward.seconds(1_500) == pytest.approx(3.0)
    assert ports.outward.seconds(2_000) == pytest.approx(10.0)


def test_a_direction_that_was_not_measured_is_an_error_not_zero():
    with pytest.raises(InputError, match='pi has no "get"'):
        fit_ports(device_profile(links=[link_sample("set")]))


def test_a_faster_port_is_filled_for_a_fraction_and_a_little_faster_one_for_all_of_the_time():
    link = Link(latency_s=1.0, seconds_per_byte=2.0)
    assert [fraction_of(link, port) for port in (0.5, 1.5, 1.7, 2.0, 9.0)] == [0.25, 0.75, 1.0, 1.0, 1.0]
    assert fraction_of(Link(latency_s=1.0, seconds_per_byte=0.0), 0.5) == 1.0


def test_between_peers_the_slower_port_counts():
    def ports(inward, outward):
        return Ports(
            inward=Link(latency_s=inward, seconds_per_byte=inward, burst_bytes=inward),
            outward=Link(latency_s=outward, seconds_per_byte=outward, burst_bytes=outward),
        )

    assert between(ports(9, 1), ports(3, 9)) == Link(latency_s=2, seconds_per_byte=3, burst_bytes=1)
    assert between(ports(9, 5), ports(3, 9)) == Link(latency_s=4, seconds_per_byte=5, burst_bytes=3)
