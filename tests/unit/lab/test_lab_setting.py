"""What a lab without namespaces cannot have is refused before anything is started."""

import logging
from dataclasses import replace

import pytest

from legion.errors import InputError
from legion.lab.lab import check_setting
from legion.lab.setting import Board, Link, Setting

LINK = Link(bandwidth_bytes_per_s=1e7)
WEAKER = Setting(
    boards=(Board(name="a", speed=0.1, memory_bytes=None, link=LINK),),
    controller=LINK,
    slow_by="pacing",
    network="transport",
)
DELAYED = replace(LINK, delay_s=0.001)


def test_the_weaker_emulation_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    check_setting(WEAKER)
    assert "weaker emulation" in caplog.text


def test_slow_motion_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    check_setting(WEAKER)
    assert "slow motion" not in caplog.text
    check_setting(WEAKER.dilated(2.5))
    assert "a second of its boards takes 2.5 s" in caplog.text


def test_in_slow_motion_everything_takes_as_many_times_longer() -> None:
    there = Link(bandwidth_bytes_per_s=12e6, delay_s=0.002)
    board = Board(name="a", speed=0.9, memory_bytes=1_000_000, link=there)
    slow = replace(WEAKER, boards=(board,), controller=DELAYED).dilated(3)
    here = Link(bandwidth_bytes_per_s=4e6, delay_s=0.006, burst_s=3 * there.burst_s)
    assert slow.boards == (Board(name="a", speed=0.3, memory_bytes=1_000_000, link=here),)
    assert slow.controller == DELAYED.dilated(3)
    assert slow.time_dilation == 3
    # The same bytes pass at once.
    assert here.bandwidth_bytes_per_s * here.burst_s == there.bandwidth_bytes_per_s * there.burst_s


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        (replace(WEAKER, slow_by="quota"), "quotas need root"),
        (replace(WEAKER, controller=DELAYED), "no delay"),
        (replace(WEAKER, boards=(replace(WEAKER.boards[0], link=DELAYED),)), "no delay"),
    ],
)
def test_what_it_cannot_have(setting: Setting, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        check_setting(setting)


def test_namespaces_need_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(InputError, match="need root"):
        check_setting(replace(WEAKER, network="namespaces"))
