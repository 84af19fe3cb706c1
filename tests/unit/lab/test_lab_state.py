"""Labs on disk, and the processes that they name."""

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from legion.errors import InputError
from legion.lab.processes import ProcessIdentity, end_processes, identify, is_alive
from legion.lab.setting import Board, Link, Setting
from legion.lab.state import LabState, labs_directory, load, load_all, new_id, save
from legion.lab.teardown import remove_leftovers, take_apart

LINK = Link(bandwidth_bytes_per_s=12.5e6, delay_s=0.001)
SETTING = Setting(
    boards=(
        Board(name="a", speed=0.2, memory_bytes=None, link=LINK),
        Board(name="b", speed=1, memory_bytes=5, link=LINK),
    ),
    controller=LINK,
    slow_by="pacing",
    network="transport",
)
WAITING = [sys.executable, "-c", "import subprocess, sys; subprocess.run(['sleep', '60'])"]


@pytest.fixture(autouse=True)
def own_labs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def myself() -> ProcessIdentity:
    identity = identify(os.getpid())
    assert identity is not None
    return identity


def made(owner: ProcessIdentity) -> LabState:
    state = LabState(id=new_id(), owner=owner, stays=True, cold=False, setting=SETTING, processes=(owner,))
    save(state)
    return state


def test_a_state_is_read_as_it_was_written() -> None:
    states = {made(myself()).id: None for _ in range(5)}
    assert len(states) == 5
    assert {state.id for state in load_all()} == states.keys()
    for state in load_all():
        assert (state.setting, state.owner, state.abandoned) == (SETTING, myself(), False)
        assert load(state.id) == state
    assert load("none") is None


def test_only_labs_whose_owner_is_gone_are_taken_apart() -> None:
    mine = made(myself())
    waiting = subprocess.Popen(WAITING)
    identity = identify(waiting.pid)
    assert identity is not None
    gone = ProcessIdentity(id=os.getpid(), started_s=myself().started_s - 1000)
    abandoned = replace(made(gone), processes=(identity, gone))
    save(abandoned)
    assert remove_leftovers() == [abandoned.id]
    assert not is_alive(identity)
    waiting.wait(10)
    assert load_all() == [mine]
    take_apart(abandoned)


def test_a_process_is_known_by_its_start_and_ends_with_its_children() -> None:
    waiting = subprocess.Popen(WAITING)
    identity = identify(waiting.pid)
    assert identity is not None
    other = replace(identity, started_s=identity.started_s - 60)
    assert is_alive(identity)
    assert not is_alive(other)
    end_processes([other])
    assert waiting.poll() is None
    children = Path(f"/proc/{waiting.pid}/task/{waiting.pid}/children")
    while not (child := children.read_text().split()):
        assert waiting.poll() is None
    end_processes([identity])
    assert not is_alive(identity)
    assert not Path(f"/proc/{child[0]}").exists()
    waiting.wait()
    assert identify(waiting.pid) is None


def test_a_directory_of_another_user_is_not_used(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    labs_directory().symlink_to(elsewhere)
    with pytest.raises(InputError, match="not this user's own"):
        new_id()
