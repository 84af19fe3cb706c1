"""A network runs in a lab, and answers what it should."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lab_running import User, needs_namespaces

from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.model import zoo
from legion.model.onnx_import import load_model
from legion.profile.store import write_profile
from legion.runtime.serve import available_cores, describe_device
from support.networks import small
from support.profiles import counted_profile_of

MEMORY_MB = 1500
SPEEDS = {"board-0": 0.5, "board-1": 0.3, "board-2": 0.4}
BOARDS = tuple(f"speed = {speed}, memory_mb = {MEMORY_MB}" for speed in SPEEDS.values())


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with closing(User(tmp_path)) as made:
        yield made


def run_words(user: User, network: bytes) -> list[str]:
    """What runs a network as the lab's controller, by a profile that was not measured."""
    model, profile = user.folder / "vgg16.onnx", user.folder / "profile.json"
    model.write_bytes(network)
    engine = OnnxRuntimeEngine(threads=1)
    devices = {name: describe_device(name, engine, MEMORY_MB * 1_000_000) for name in SPEEDS}
    write_profile(counted_profile_of(load_model(model), devices), profile)
    command = user.words("run", model, "-c", "{cluster}", "--policy", "coedge", "--profile", profile)
    return [*command, "--json", "--compare"]


@needs_namespaces
def test_the_whole_vgg16_on_three_boards(user: User) -> None:
    words = run_words(user, zoo.build("vgg16").SerializeToString())
    told = json.loads(user.legion("lab", "run", user.lab_file(*BOARDS), "--", *words))
    assert told["comparison"]["max_relative"] <= 1e-5
    assert len(told["shares"]) == 3
    assert user.directories() == []


@needs_namespaces
def test_weights_travel_to_cold_boards(user: User) -> None:
    words = run_words(user, small("vgg16").content)
    told = json.loads(user.legion("lab", "run", "--cold", user.lab_file(*BOARDS), "--", *words))
    assert told["comparison"]["max_relative"] <= 1e-5
    assert user.directories() == []


def test_links_paced_in_the_transport(user: User) -> None:
    lab = user.lab_file(*BOARDS[:2], top='network = "transport"')
    told = json.loads(user.legion("lab", "run", lab, "--", *run_words(user, small("vgg16").content)))
    assert told["comparison"]["max_relative"] <= 1e-5
    assert user.directories() == []


@pytest.mark.skipif(available_cores() == 1, reason="on a single core nobody is kept out of another's caches")
@pytest.mark.parametrize(("speeds", "dilation"), [((0.1, 0.2), 1), ((0.4, 0.8), 4)])
def test_boards_that_fit_onto_a_core_take_turns(user: User, speeds: tuple[float, float], dilation: int) -> None:
    boards = (f"speed = {speed}" for speed in speeds)
    lab = user.lab_file(*boards, top=f'network = "transport"\ntime_dilation = {dilation}')
    listing = [sys.executable, "-c", "from pathlib import Path; print(*Path('{cluster}').parent.glob('turns-*'))"]
    assert [Path(path).name for path in user.legion("lab", "run", lab, "--", *listing).split()] == ["turns-0"]


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


ONE_AFTER_THE_OTHER = """
import sys
import time
from statistics import median
import numpy as np
from legion.geometry.box import Box
from legion.plan.executable import messages_alone
from legion.plan.program import Receive, Send
from legion.plan.scheme import CONTROLLER
from legion.session.cluster import connect

size_bytes, feeding = int(sys.argv[2]), float(sys.argv[3]) if sys.argv[3:] else None
box = Box.whole((size_bytes,))
with connect(sys.argv[1]) as cluster:
    programs = {name: [Receive(tensor=name, box=box, source=CONTROLLER)] for name in cluster.devices}
    programs[CONTROLLER] = [Send(tensor=name, box=box, destination=name) for name in cluster.devices]
    cluster.controller.install(messages_alone(programs, feeding))
    fractions = []
    for _ in range(7):
        time.sleep(0.3)  # TCP begins slowly after a pause
        cluster.controller.run({name: np.ones(size_bytes, np.uint8) for name in cluster.devices}, outputs=())
        events = {(event.node, event.instruction): event for event in cluster.controller.timeline().events}
        begun_s = events[CONTROLLER, 0].start_s
        first_s, second_s = (events[name, 0].end_s - begun_s for name in cluster.devices)
        fractions.append(first_s / second_s)
    print(median(fractions))
"""


def first_over_second(user: User, lab: Path, *arguments: float) -> float:
    """When the first of two tensors is there, over when the second is."""
    script = user.folder / "one_after_the_other.py"
    script.write_text(ONE_AFTER_THE_OTHER)
    return float(user.legion("lab", "run", lab, "--", sys.executable, script, "{cluster}", *arguments))


@needs_namespaces
@pytest.mark.parametrize("size_bytes", [20_000, 30_000, 100_000])
def test_one_tensor_is_through_before_the_next_takes_its_port(user: User, size_bytes: int) -> None:
    lab = user.lab_file(*BOARDS[:2], link_mbit_per_s=10)
    # Were the port shared, the first would be there just before the second.
    assert 0.4 < first_over_second(user, lab, size_bytes) < 0.56


@needs_namespaces
def test_a_faster_port_feeds_devices_at_the_same_time(user: User) -> None:
    lab = user.lab_file(*BOARDS[:2], link_mbit_per_s=10, controller_mbit_per_s=100)
    # The first is there sooner by as long as it fills the controller's port, a tenth of the time.
    assert 0.8 < first_over_second(user, lab, 300_000, 8e-8) < 1.0
