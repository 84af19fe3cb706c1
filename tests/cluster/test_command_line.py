"""Every command as a user calls it, on workers of this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from legion.profile.samples import Profile
from legion.profile.store import write_profile
from legion.session.cluster import local_cluster
from support.networks import small
from support.profiles import counted_profile_of

TIMEOUT_S = 120


def legion(*words: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "legion", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == expect, done.stderr
    return done


def told(*words: object) -> dict:
    return json.loads(legion(*words, "--json").stdout)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's cache is empty before each test."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("command-line")
    (path / "model.onnx").write_bytes(small("resnet18").content)
    with local_cluster(2) as cluster:
        infos = dict(cluster.devices)
    one, other = (counted_profile_of(small("resnet18").model, infos, speed).devices for speed in (1.0, 0.5))
    write_profile(Profile(devices={**one, "local-1": other["local-1"]}), path / "counted.json")
    return path


def test_zoo_writes_what_it_says(tmp_path: Path) -> None:
    said = told("zoo", "mobilenetv2", "-o", tmp_path / "m.onnx", "--size", 64)
    assert said["size_bytes"] == (tmp_path / "m.onnx").stat().st_size > 1e7
    assert "zoo has no network" in legion("zoo", "lenet", "-o", tmp_path / "l.onnx", expect=2).stderr


def test_devices_are_listed() -> None:
    assert set(told("devices", "--local", 2)) == {"local-0", "local-1"}
    assert "onnxruntime" in legion("devices", "--local", 1).stdout


def test_profile_then_plan_then_simulate_then_run(folder: Path) -> None:
    model, profile = folder / "model.onnx", folder / "profile.json"
    profiled = legion("profile", model, "--local", 2, "-o", profile, "--rounds", 1)
    assert "small messages between all devices at once" in profiled.stdout
    planned = told("plan", model, "--profile", profile, "--matrix", "T", "--matrix", "A")
    layers = [layer for group in planned["groups"] for layer in group["layers"]]
    assert len(layers) == len(set(layers)) == 31
    assert len(planned["T"]["values"]) == 31
    assert told("simulate", model, "--profile", profile)["latency_s"] > 0
    ran = told("run", model, "--local", 2, "--profile", profile, "--repeat", 3, "--compare", "--no-trials")
    assert len(ran["measured_latency_s"]) == len(ran["overrun_s"]) == 3
    assert min(ran["wire_cpu_s"]) > 0
    assert len(ran["measured_group_s"]) == len(ran["predicted_group_s"]) == len(ran["groups"])
    assert ran["comparison"]["max_relative"] <= 1e-5


def test_a_profile_may_hold_more_devices_than_there_are(folder: Path, tmp_path: Path) -> None:
    known = ("--local", 1, "--profile", folder / "counted.json")
    events = told("simulate", folder / "model.onnx", *known, "--policy", "coedge")["events"]
    assert {event["node"] for event in events} == {"controller", "local-0"}
    (tmp_path / "other.onnx").write_bytes(small("mobilenetv2").content)
    profiled = legion("profile", tmp_path / "other.onnx", *known, "--rounds", 1)
    assert "local-0" in profiled.stdout
    assert "local-1" not in profiled.stdout


def test_what_a_given_profile_lacks_is_said(folder: Path, tmp_path: Path) -> None:
    words = ("plan", folder / "model.onnx", "--local", 2, "--no-trials", "--profile")
    assert "lacked samples" in legion(*words, folder / "counted.json").stderr
    whole = tmp_path / "whole.json"
    legion("profile", folder / "model.onnx", "--local", 2, "--profile", folder / "counted.json", "-o", whole)
    assert "lacked samples" not in legion(*words, whole).stderr


def test_tables_for_people(folder: Path) -> None:
    known = ("--profile", folder / "counted.json")
    matrices = ("--matrix", "E", "--matrix", "T", "--matrix", "A")
    shown = legion("plan", folder / "model.onnx", *known, *matrices, "--policy", "legion").stdout
    for text in ("fused-layer configuration", "decided by", "E (Run", "T (Cost", "A (Alpha", "66.7%"):
        assert text in shown
    assert "T (Cost" in legion("plan", folder / "model.onnx", *known, *matrices).stdout
    assert "predicted latency" in legion("simulate", folder / "model.onnx", *known).stdout
    assert "local-1" in legion("simulate", folder / "model.onnx", *known, "--policy", "coedge").stdout


def test_a_plan_is_held_against_its_lower_bound(folder: Path) -> None:
    words = ("plan", folder / "model.onnx", "--profile", folder / "counted.json", "--policy")
    assert "above the lower bound of" in legion(*words, "auto").stdout
    explanation = told(*words, "auto")["explanation"]
    assert sum(explanation["predicted"].values()) == pytest.approx(explanation["predicted_s"])
    assert sum(explanation["bound"].values()) < explanation["predicted_s"]
    assert told(*words, "coedge")["explanation"] is None


def test_a_run_is_explained(folder: Path) -> None:
    words = ("run", folder / "model.onnx", "--local", 2, "--profile", folder / "counted.json", "--policy", "coedge")
    shown = legion(*words, "--explain").stdout
    for text in ("waiting to be fed", "difference", "lower bound", "what would help most"):
        assert text in shown
    ran = told(*words, "--explain", "--repeat", 3)
    assert ran["explanation"]["measured_s"] == sorted(ran["measured_latency_s"])[1]
    assert sum(ran["explanation"]["measured"].values()) == pytest.approx(ran["explanation"]["measured_s"])


def test_what_was_measured_and_planned_is_used_again(folder: Path) -> None:
    model = (folder / "model.onnx", "--local", 1)
    legion("profile", *model, "--rounds", 1)
    first, again = (legion("run", *model).stderr for _ in range(2))
    assert "profiled less than a minute ago" in first
    assert "planned" not in first
    assert "profiled less than a minute ago" in again
    assert "planned less than a minute ago" in again
    legion("profile", *model, "--rounds", 1)
    assert "planned" not in legion("run", *model).stderr


def test_a_plan_from_a_profile_is_used_again_and_shown_as_before(folder: Path) -> None:
    words = ("plan", folder / "model.onnx", "--profile", folder / "counted.json", "--policy", "legion-one-port")
    commands = [(*words, "--matrix", "T", *more) for more in ((), (), ("--no-cache",))]
    shown = [legion(*command) for command in commands]
    assert ["planned" in each.stderr for each in shown] == [False, True, False]
    assert len({each.stdout for each in shown}) == 1


def test_an_image_is_run_and_its_output_saved(folder: Path) -> None:
    Image.new("RGB", (20, 10), (10, 200, 30)).save(folder / "image.png")
    words = ("--local", 2, "--profile", folder / "counted.json", "--policy", "coedge", "--compare")
    shown = legion("run", folder / "model.onnx", folder / "image.png", *words, "-o", folder / "out.npz").stdout
    assert "predicted and measured" in shown
    assert "ONNX Runtime" in shown
    assert np.load(folder / "out.npz")["output"].shape == (1, 1000)


def test_a_prepared_model_is_fed_the_bytes_of_an_image(folder: Path) -> None:
    ready = folder / "bytes.onnx"
    said = told("prepare", folder / "model.onnx", "-o", ready, "--normalize", "imagenet")
    assert said["size_bytes"] == ready.stat().st_size
    Image.new("RGB", (20, 10), (10, 200, 30)).save(folder / "bytes.png")
    ran = told("run", ready, folder / "bytes.png", "--local", 1, "--policy", "coedge", "--compare")
    assert ran["comparison"]["max_relative"] <= 1e-5
    again = ("--mean", "123.675,116.28,103.53", "--deviation", "58.395,57.12,57.375")
    assert told("prepare", folder / "model.onnx", "-o", folder / "again.onnx", *again)["size_bytes"] > 0
    assert (folder / "again.onnx").read_bytes() == ready.read_bytes()


def test_half_precision_changes_the_outputs_and_says_by_how_much(folder: Path) -> None:
    ready = folder / "half.onnx"
    said = told("prepare", folder / "model.onnx", "-o", ready, "--half-precision")
    ran = told("run", ready, "--local", 2, "--policy", "coedge", "--compare-with", folder / "model.onnx")
    for effect in (said["effect"], ran["effect"]):
        assert 0 < effect["difference"]["max_relative"] <= 3e-3
        assert effect["rankings"] == effect["inputs"]


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["plan", "none.onnx", "--local", "1"], 2, "none.onnx"),
        (["plan", "{folder}/model.onnx"], 2, "choose the devices"),
        (["plan", "{folder}/model.onnx", "--profile", "{folder}/counted.json", "--policy", "best"], 2, "no policy"),
        (
            ["plan", "{folder}/model.onnx", "--profile", "{folder}/counted.json", "--matrix", "Q"],
            2,
            "'Q' is not one of",
        ),
        (["run", "{folder}/counted.json", "--local", "1"], 2, "InputError"),
        (["run", "{folder}/model.onnx", "{folder}/model.onnx", "--local", "1"], 2, "not an image"),
        (["plan", "{folder}/model.onnx", "--local", "1", "--size", "height"], 2, "NAME=EXTENT"),
        (["run", "{folder}/model.onnx", "--local", "1", "--no-trials", "--trials-file", "t"], 2, "nothing is tried"),
        (["plan", "{folder}/model.onnx", "--profile", "{folder}/counted.json", "--trials-file", "t"], 2, "nothing is"),
        (["run", "{folder}/model.onnx", "--local", "1", "-o", "{folder}/none/o.npz"], 2, "cannot be written"),
        (["run", "{folder}/model.onnx", "--local", "1", "--compare-with", "{folder}/none.onnx"], 2, "does not exist"),
        (["profile", "{folder}/model.onnx", "--local", "1", "-o", "{folder}"], 2, "cannot be written"),
        (["prepare", "{folder}/model.onnx", "-o", "{folder}/p.onnx"], 2, "say how images are normalised"),
        (["prepare", "{folder}/model.onnx", "-o", "{folder}/p.onnx", "--mean", "a,b"], 2, "write numbers"),
        (["prepare", "{folder}/model.onnx", "-o", "{folder}/p.onnx", "--half-precision", "--input", "x"], 2, "bytes"),
        (["prepare", "{folder}/model.onnx", "-o", "{folder}/none/p.onnx", "--normalize", "unit"], 2, "cannot write"),
        (["devices", "-c", "{folder}/none.toml"], 2, "cannot be read"),
        (["worker", "--bind", "nowhere"], 2, "host:port"),
    ],
)
def test_mistakes_are_named(folder: Path, words: list[str], code: int, complaint: str) -> None:
    done = legion(*(word.format(folder=folder) for word in words), expect=code)
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_device_is_named(tmp_path: Path) -> None:
    cluster = tmp_path / "cluster.toml"
    cluster.write_text('[[devices]]\nname = "attic"\naddress = "127.0.0.1:9"\n')
    done = legion("devices", "-c", cluster, expect=4)
    assert "attic" in done.stderr


def test_ctrl_c_ends_a_run_and_its_workers(folder: Path) -> None:
    words = ["run", folder / "model.onnx", "--local", "2", "--profile", folder / "counted.json", "--repeat", "100000"]
    running = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "legion", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        children = _children(running.pid)
        time.sleep(3)
        running.send_signal(signal.SIGINT)
        try:
            _, said = running.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGABRT)  # which makes it tell where its threads are
            pytest.fail(running.communicate()[1])
    finally:
        running.kill()
    assert running.returncode == 130, said
    assert not [child for child in children if Path(f"/proc/{child}").exists()]


def test_a_worker_ends_on_ctrl_c() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "legion", "worker", "--name", "w", "--bind", "127.0.0.1:0"], stderr=subprocess.PIPE
    )
    try:
        assert worker.stderr is not None
        assert b"listens at 127.0.0.1:" in worker.stderr.readline()
        worker.send_signal(signal.SIGINT)
        assert worker.wait(20) == 0
    finally:
        worker.kill()
        worker.communicate()


def _children(process: int) -> list[str]:
    """The two workers of a process, once they are there."""
    for _ in range(200):
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        if len(children) >= 2:
            return children
        time.sleep(0.1)
    raise AssertionError("no workers were started")
