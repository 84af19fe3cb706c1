"""Real workers on loopback: exact answers, and what happens when someone misbehaves, dies, or is interrupted."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import zmq

from legion.cluster.device import Device
from legion.errors import InputError, PeerError
from legion.runtime.controller import Controller, Timeouts
from legion.runtime.local import LocalWorkers, start_local_workers
from legion.wire.codec import PROTOCOL_VERSION, encode
from legion.wire.messages import Hello
from support.networks import small
from support.plans import split_plan

SHARES = {"local-0": 0.6, "local-1": 0.4}
WAIT_S = 20.0


@pytest.fixture(scope="module")
def workers() -> Iterator[LocalWorkers]:
    """Two workers that no test kills."""
    with start_local_workers(2) as started:
        yield started


@pytest.fixture
def controller(workers: LocalWorkers) -> Iterator[Controller]:
    with Controller(workers.devices) as made:
        made.connect()
        yield made


def is_running(process_id: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process_id, 0)
        return True
    return False


def eventually(condition: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + WAIT_S
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return condition()


def assert_serves(controller: Controller, shares: dict[str, float]) -> None:
    subject = small("resnet18")
    controller.install(split_plan(subject.model, shares, via_controller=False, cuts=[10, 20]))
    assert subject.error(controller.run(subject.feeds)) <= 1e-5


@pytest.mark.parametrize("via_controller", [True, False])
def test_answer_is_exact_frame_after_frame(controller: Controller, via_controller: bool) -> None:
    subject = small("vgg16")
    controller.install(split_plan(subject.model, SHARES, via_controller=via_controller))
    for _ in range(5):
        assert np.array_equal(controller.run(subject.feeds)["output"], subject.expected["output"])
    reports = controller.reports()
    assert all(report.dropped == 0 for report in reports.values())


def test_clocks_are_brought_together(controller: Controller) -> None:
    """All processes share this machine's clock, so what is sent must arrive after it was sent."""
    subject = small("resnet18")
    controller.install(split_plan(subject.model, SHARES, via_controller=True))
    controller.run(subject.feeds)
    timeline = controller.timeline()
    sent = {
        (event.node, event.label.split(" to ")[0], event.label.split(" to ")[1]): event
        for event in timeline.events
        if event.kind == "send"
    }
    for event in timeline.events:
        if event.kind == "receive":
            tensor, source = event.label.split(" from ")
            assert event.end_s >= sent[source, tensor, event.node].start_s - 1e-3


def test_garbage_on_both_ports_is_dropped(workers: LocalWorkers) -> None:
    control = workers.devices[0].address
    with Controller(workers.devices[:1]) as controller:
        controller.connect()
        data = controller._data_address("local-0")
        for address in (control, data):
            host, port = address.split(":")
            for _ in range(3):
                with socket.create_connection((host, int(port))) as raw:
                    raw.sendall(os.urandom(2000))
        context = zmq.Context()
        for kind, address in ((zmq.DEALER, control), (zmq.PUSH, data)):
            with context.socket(kind) as spoken:
                spoken.connect(f"tcp://{address}")
                for frames in ([b""], [b"x" * 100], [os.urandom(50), os.urandom(50)], [b"LGN\0\1" + os.urandom(30)]):
                    spoken.send_multipart(frames)
                time.sleep(0.2)
        context.destroy(linger=0)
        assert_serves(controller, {"local-0": 1.0})
        assert controller.reports()["local-0"].dropped >= 8


def test_another_version_is_told_apart_on_both_sides(workers: LocalWorkers) -> None:
    other = b"LGN" + (PROTOCOL_VERSION + 1).to_bytes(2, "big")
    context = zmq.Context()
    with context.socket(zmq.DEALER) as guest:
        guest.connect(f"tcp://{workers.devices[0].address}")
        guest.send(other + encode(Hello(controller="from the future"))[5:])
        assert guest.poll(WAIT_S * 1e3)
        assert guest.recv().startswith(b"LGN" + PROTOCOL_VERSION.to_bytes(2, "big"))
    with context.socket(zmq.ROUTER) as host:
        port = host.bind_to_random_port("tcp://127.0.0.1")

        def answer() -> None:
            peer, _ = host.recv_multipart()
            host.send_multipart([peer, other + b"whatever a later version says"])

        thread = threading.Thread(target=answer)
        thread.start()
        device = Device(name="newer", address=f"127.0.0.1:{port}")
        with (
            Controller([device]) as controller,
            pytest.raises(
                PeerError, match=rf"newer: .*version {PROTOCOL_VERSION + 1}.*this one version {PROTOCOL_VERSION}"
            ),
        ):
            controller.connect()
        thread.join()
    context.destroy(linger=0)


def test_wrong_addresses_are_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        silent = Device(name="silent", address=f"127.0.0.1:{taken.getsockname()[1]}")
        absent = Device(name="absent", address="127.0.0.1:9")
        with (
            Controller([silent, absent], timeouts=Timeouts(connect_s=0.5)) as controller,
            pytest.raises(PeerError, match=r"silent at .*; device absent at 127.0.0.1:9 does not answer"),
        ):
            controller.connect()
    for address in ("127.0.0.1", "127.0.0.1:notaport", "no.such.host.invalid:7000", ":7000"):
        with pytest.raises(InputError, match="leads nowhere"):
            Controller([Device(name="a", address=address)])


def test_two_controllers_at_once(workers: LocalWorkers, controller: Controller) -> None:
    with Controller(workers.devices, name="second") as second, pytest.raises(PeerError, match="in use by controller"):
        second.connect()
    assert_serves(controller, SHARES)


VANISHING = """
import sys, time
from legion.cluster.device import Device
from legion.runtime.controller import Controller
controller = Controller([Device(name="local-0", address=sys.argv[1])], name="vanishing")
controller.connect()
print("connected", flush=True)
time.sleep(60)
"""


def test_worker_of_a_vanished_controller_is_free(workers: LocalWorkers) -> None:
    command = [sys.executable, "-c", VANISHING, workers.devices[0].address]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as vanishing:
        assert vanishing.stdout is not None
        assert vanishing.stdout.readline() == b"connected\n"
        vanishing.kill()
    with Controller(workers.devices) as controller:
        controller.connect()
        assert_serves(controller, SHARES)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_during_a_run_is_named_and_the_other_serves_on(how: signal.Signals) -> None:
    subject = small("vgg16")
    with start_local_workers(2) as started, Controller(started.devices) as controller:
        controller.connect()
        controller.install(split_plan(subject.model, SHARES, via_controller=False))
        controller.run(subject.feeds)
        threading.Timer(0.3, os.kill, (started.process_ids[1], how)).start()
        begun_s = time.monotonic()
        with pytest.raises(PeerError, match="device local-1"):
            while time.monotonic() - begun_s < WAIT_S:
                controller.run(subject.feeds)
        with pytest.raises(PeerError, match="device local-1"):
            controller.run(subject.feeds)
        assert_serves(controller, {"local-0": 1.0})
        if how == signal.SIGSTOP:
            os.kill(started.process_ids[1], signal.SIGCONT)
            controller.connect()
            assert_serves(controller, SHARES)


RUNNING = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from legion.runtime.controller import Controller
from legion.runtime.local import start_local_workers
from support.networks import small
from support.plans import split_plan
subject = small("vgg16")
with start_local_workers(2) as workers, Controller(workers.devices) as controller:
    controller.connect()
    controller.install(split_plan(subject.model, {SHARES}, via_controller=True))
    while True:
        try:
            print("running", flush=True)
            for _ in range(500):
                controller.run(subject.feeds)
            print("not interrupted", flush=True)
        except KeyboardInterrupt:
            print(max(subject.error(controller.run(subject.feeds)) for _ in range(3)), flush=True)
"""


def test_ctrl_c_ends_a_run_whenever_it_comes_and_leaves_everything_usable() -> None:
    """In a process of its own, for what pytest and hypothesis add to this one swallow some."""
    with subprocess.Popen([sys.executable, "-c", RUNNING], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            for after_ms in range(5, 45):
                assert running.stdout.readline() == "running\n"
                time.sleep(after_ms / 1e3)
                running.send_signal(signal.SIGINT)
                assert float(running.stdout.readline()) <= 1e-5
        finally:
            running.kill()


INTERRUPTED = """
import time
from legion.runtime.local import start_local_workers
with start_local_workers(2) as workers:
    print(*workers.process_ids, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_parent(how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout is not None
        children = [int(each) for each in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.send_signal(how)
        parent.wait(WAIT_S)
    assert eventually(lambda: not any(is_running(child) for child in children))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_told_to_end_exits_cleanly(how: signal.Signals, tmp_path: object) -> None:
    command = [sys.executable, "-m", "legion.runtime.worker_process", "--name", "a", "--bind", "127.0.0.1:0"]
    command += ["--threads", "1", "--cache", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(how)
        assert process.wait(WAIT_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_worker_of_several_threads_cannot_be_slowed_down(tmp_path: object) -> None:
    command = [sys.executable, "-m", "legion.runtime.worker_process", "--name", "a", "--bind", "127.0.0.1:0"]
    command += ["--threads", "2", "--cache", str(tmp_path), "--speed", "0.5"]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=WAIT_S)
    assert ended.returncode == 1
    assert b"2 threads cannot be slowed down" in ended.stderr
