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
