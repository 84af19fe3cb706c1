"""Whatever ends, nothing is left of the lab: no namespace, link, cgroup, process or file."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lab_running import User, eventually, needs_namespaces, remains

pytestmark = needs_namespaces
BOARD = "speed = 0.3, memory_mb = 1000"
HOLD = ["sh", "-c", "echo here; sleep 100; echo never"]


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with closing(User(tmp_path)) as made:
        yield made


def kill_command(_running: "subprocess.Popen[bytes]", state: dict) -> None:
    os.kill(state["processes"][-1]["id"], signal.SIGKILL)


def kill_worker(running: "subprocess.Popen[bytes]", state: dict) -> None:
    os.kill(state["processes"][0]["id"], signal.SIGKILL)
    running.send_signal(signal.SIGTERM)


def kill_keeper(running: "subprocess.Popen[bytes]", state: dict) -> None:
    os.kill(state["owner"]["id"], signal.SIGKILL)
    running.send_signal(signal.SIGTERM)


def send(kind: signal.Signals) -> Callable[["subprocess.Popen[bytes]", dict], None]:
    def sent(running: "subprocess.Popen[bytes]", _state: dict) -> None:
        running.send_signal(kind)

    sent.__name__ = kind.name
    return sent


def ctrl_c(running: "subprocess.Popen[bytes]", _state: dict) -> None:
    os.killpg(running.pid, signal.SIGINT)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (kill_command, 128 + signal.SIGKILL),
        (kill_worker, 128 + signal.SIGTERM),
        (kill_keeper, 128 + signal.SIGTERM),
        (send(signal.SIGTERM), 128 + signal.SIGTERM),
        (send(signal.SIGKILL), -signal.SIGKILL),
        (ctrl_c, 130),
    ],
)
def test_nothing_is_left(user: User, end: Callable[["subprocess.Popen[bytes]", dict], None], code: int) -> None:
    with user.start("lab", "run", user.lab_file(BOARD), "--", *HOLD) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"here\n"
        assert eventually(lambda: len(user.states()[0]["processes"]) == 2)
        (state,) = user.states()
        assert len(remains(state)) >= 6
        end(running, state)
        assert running.wait(30) == code
    assert eventually(lambda: remains(state) == [])
    assert eventually(lambda: user.directories() == [])


def test_a_lab_that_is_interrupted_while_it_comes_up(user: User) -> None:
    with user.start("lab", "run", user.lab_file(BOARD), "--", *HOLD) as running:
        assert eventually(lambda: bool(list(user.folder.glob("legion-lab-*/*/worker-0.log"))))
        (state,) = user.states()
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
    assert (remains(state), user.directories()) == ([], [])


def test_a_lab_whose_keeper_is_ended_while_it_comes_up(user: User) -> None:
    with user.start("lab", "run", user.lab_file(BOARD), "--", *HOLD) as running:
        assert running.stderr is not None
        assert eventually(lambda: bool(list(user.folder.glob("legion-lab-*/*/worker-0.log"))))
        (state,) = user.states()
        os.kill(state["owner"]["id"], signal.SIGTERM)
        assert running.wait(30) in (5, 128 + signal.SIGTERM)  # the latter if the command was already running
        assert b"Traceback" not in running.stderr.read()
    assert (remains(state), user.directories()) == ([], [])


def test_up_status_down(user: User) -> None:
    up = json.loads(user.legion("lab", "up", user.lab_file(BOARD, BOARD), "--json"))
    assert "rate" in shaping(f"lgn{up['id']}-switch", "port-1")
    (status,) = json.loads(user.legion("lab", "status", "--json"))
    assert (status["id"], status["workers_run"], status["abandoned"]) == (up["id"], [True, True], False)
    assert "0.300" in user.legion("lab", "status")
    words = [*up["command"], *user.words("devices", "-c", up["cluster_file"], "--json")]
    devices = json.loads(subprocess.run(words, capture_output=True, check=True, timeout=60).stdout)
    assert [device["memory_bytes"] for device in devices.values()] == [1_000_000_000] * 2
    (state,) = user.states()
    assert json.loads(user.legion("lab", "down", "--json")) == [up["id"]]
    assert (remains(state), user.directories()) == ([], [])


def test_leftovers_of_a_crash_go_with_the_next_lab(user: User) -> None:
    user.legion("lab", "up", user.lab_file(BOARD))
    (state,) = user.states()
    os.kill(state["owner"]["id"], signal.SIGKILL)
    assert remains(state)
    assert user.legion("lab", "run", user.lab_file(BOARD), "--", "echo", "fine") == "fine\n"
    assert (remains(state), user.directories()) == ([], [])


def test_a_running_lab_is_not_taken_down_by_others(user: User) -> None:
    with user.start("lab", "run", user.lab_file(BOARD), "--", *HOLD) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"here\n"
        assert json.loads(user.legion("lab", "down", "--json")) == []
        assert len(remains(user.states()[0])) >= 6
        running.send_signal(signal.SIGTERM)


def test_limits_hold_while_it_is_up(user: User) -> None:
    """Shaped both ways at the stated rate; the kernel knows the memory cap and the quota, where it has cgroups."""
    lab = user.lab_file(BOARD, top='slow_by = "quota"', link_mbit_per_s=100)
    script = "cat /sys/fs/cgroup/*/lgn*/0/{cpu.cfs_quota_us,memory.limit_in_bytes,cpu.max,memory.max} 2>/dev/null; true"
    up = json.loads(user.legion("lab", "up", lab, "--json"))
    try:
        for namespace, interface in ((f"lgn{up['id']}-0", "eth0"), (f"lgn{up['id']}-switch", "port-0")):
            assert "rate 100Mbit" in shaping(namespace, interface)
        limits = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()
        assert "1000" in limits
        assert "999997440" in limits or "1000000000" in limits
        (state,) = user.states()
    finally:
        user.legion("lab", "down")
    assert remains(state) == []


def shaping(namespace: str, interface: str) -> str:
    words = ["ip", "netns", "exec", namespace, "tc", "qdisc", "show", "dev", interface]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("devices", "command", "code", "complaint"),
    [
        (["speed = 0.9"] * 50, ["true"], 3, "add up to 45.00 cores"),
        ([BOARD], ["false"], 1, ""),
        ([BOARD, "speed = 0.1, colour = 1"], ["true"], 2, "unknown field `colour`"),
        ([BOARD, "speed = 0.1, delay_ms = 5"], ["true"], None, "netem"),
    ],
)
def test_what_cannot_be(user: User, devices: list[str], command: list[str], code: int | None, complaint: str) -> None:
    with user.start("lab", "run", user.lab_file(*devices), "--", *command) as running:
        _, said = running.communicate(timeout=60)
    if code is None and running.returncode == 0:
        pytest.skip("this kernel has netem")
    assert running.returncode == (code or 2)
    assert complaint in said.decode()
    assert "Traceback" not in said.decode()
    assert user.directories() == []
