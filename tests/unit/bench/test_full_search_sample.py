"""What a full search would take, from some of its groups."""

from bench.full_search_sample import FullSearchSample, SampledGroup, sample_table
from bench.paper.results import ProfilingCost


def _cost(wall_s: float) -> ProfilingCost:
    return ProfilingCost(device_busy_s=2 * wall_s, wall_s=wall_s, bytes_moved=1000, segments=6)


def _wall_row(walls_s: list[float], groups: int) -> list[str]:
    sample = tuple(SampledGroup(first=0, end=place + 1, cost=_cost(wall_s)) for place, wall_s in enumerate(walls_s))
    result = FullSearchSample(
        network="a network",
        devices="2F",
        groups=groups,
        frames=5,
        sample=sample,
        policies={"legion": {"total": _cost(4.0)}, "auto": {"total": _cost(10.0)}},
    )
    (row,) = (line for line in sample_table(result).splitlines() if line.startswith("| wall s"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_all_groups_need_what_the_sampled_ones_do_in_the_mean() -> None:
    assert _wall_row([1.0, 3.0], groups=100) == ["wall s", "200", "49%", "50x", "20x"]


def test_a_sample_of_all_groups_has_no_error() -> None:
    assert _wall_row([1.0, 3.0], groups=2) == ["wall s", "4", "0%", "1x", "0x"]
