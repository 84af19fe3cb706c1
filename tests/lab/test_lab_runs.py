"""A network runs in a lab, and answers what it should."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lab_running import User, needs_root

from legion.profile.store import write_profile
from support.networks import small
from support.profiles import counted_profile

BOARDS = ("speed = 0.5, memory_mb = 1000", "speed = 0.3, memory_mb = 1000", "speed = 0.4")


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """Someone with a small VGG-16, and a profile of it that was not measured."""
    subject = small("vgg16")
    (tmp_path / "vgg16.onnx").write_bytes(subject.content)
    speeds = {"board-0": 0.5, "board-1": 0.3, "board-2": 0.4}
    write_profile(counted_profile(subject.model, speeds), tmp_path / "profile.json")
    with closing(User(tmp_path)) as made:
        yield made


def run_words(user: User) -> list[str]:
    command = user.words("run", user.folder / "vgg16.onnx", "-c", "{cluster}", "--policy", "coedge", "--json")
    return [*command, "--profile", str(user.folder / "profile.json"), "--compare", "--repeat", "2"]


@needs_root
@pytest.mark.parametrize("cold", [False, True])
def test_vgg16_on_three_boards(user: User, cold: bool) -> None:
    options = ["--cold"] if cold else []
    lab = user.lab_file(*BOARDS)
    told = json.loads(user.legion("lab", "run", *options, lab, "--", *run_words(user)))
    assert told["comparison"]["max_relative"] <= 1e-5
    assert len(told["shares"]) == 3
    assert user.directories() == []


def test_vgg16_with_links_paced_in_the_transport(user: User) -> None:
    lab = user.lab_file(*BOARDS[:2], top='network = "transport"')
    told = json.loads(user.legion("lab", "run", lab, "--", *run_words(user)))
    assert told["comparison"]["max_relative"] <= 1e-5
    assert user.directories() == []


def test_the_weaker_emulation_says_so_and_tells_the_controller(user: User) -> None:
    lab = user.lab_file("speed = 0.5", top='network = "transport"')
    done = subprocess.run(
        user.words("lab", "run", lab, "--", "cat", "{cluster}"),
        capture_output=True,
        text=True,
        check=True,
        env=user.environment,
        timeout=60,
    )
    assert "weaker emulation" in done.stderr
    assert "bandwidth_bytes_per_s = 125000000.0" in done.stdout
