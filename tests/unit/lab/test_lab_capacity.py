import pytest

from legion.errors import InfeasibleError
from legion.lab.capacity import check_capacity, turns_of
from legion.lab.setting import Board, Link, Setting

LINK = Link(bandwidth_bytes_per_s=1e7)
MEMORY = 8_000_000_000


def setting(*speeds: float, memory_bytes: int | None = None) -> Setting:
    boards = tuple(
        Board(name=f"b{index}", speed=speed, memory_bytes=memory_bytes, link=LINK) for index, speed in enumerate(speeds)
    )
    return Setting(boards=boards, controller=LINK, slow_by="pacing", network="namespaces")


def test_what_fits_passes() -> None:
    check_capacity(setting(*[0.25] * 6), cores=2, memory_bytes=MEMORY)
    check_capacity(setting(1.0, 0.5, memory_bytes=3_500_000_000), cores=2, memory_bytes=MEMORY)


@pytest.mark.parametrize(
    ("subject", "complaint"),
    [
        (setting(0.9, 0.7), r"add up to 1\.60 cores, and this machine has 2.*1\.50 in all.*time_dilation of 2"),
        (setting(2.4, 2.4).dilated(2), r"b0 would be 1\.20 times as fast.*time_dilation of 3"),
        (setting(3.0, 3.0).dilated(3), r"add up to 2\.00 cores.*time_dilation of 4"),
        (
            setting(0.1, 0.1, memory_bytes=4_000_000_000),
            r"add up to 8000 MB, and this machine has 8000 MB.*1000 are kept",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_numbers(subject: Setting, complaint: str) -> None:
    with pytest.raises(InfeasibleError, match=complaint):
        check_capacity(subject, cores=2, memory_bytes=MEMORY)


@pytest.mark.parametrize(
    ("speeds", "cores", "turns"),
    [
        ([0.085] * 6, 2, [0] * 6),
        ([0.2] * 3, 2, [0] * 3),
        ([0.19] * 6, 2, None),
        ([0.19] * 6, 4, [0, 0, 0, 1, 1, 1]),
        ([0.1, 0.9, 0.3, 0.3], 4, [2, 0, 1, 1]),
        ([0.5], 1, None),
    ],
)
def test_as_few_boards_as_can_be_compute_at_the_same_time(
    speeds: list[float], cores: int, turns: list[int] | None
) -> None:
    assert turns_of(setting(*speeds).boards, cores) == turns
