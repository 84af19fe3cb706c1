"""The public interface on real workers."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import legion
from legion.cluster.device import Device
from legion.plan.memory import required_bytes
from legion.plan.program import Run
from legion.profile.samples import DeviceProfile, MeasurementPolicy, Profile
from legion.runtime.local import start_local_workers
from legion.session.stages import Planning
from support.networks import network_of, small
from support.profiles import counted_profile, counted_profile_of

NETWORK = small("resnet18")


def session_on(cluster: legion.Cluster, policy: str = "legion", **options: object) -> legion.InferenceSession:
    profile = counted_profile_of(NETWORK.model, cluster.devices)
    return legion.InferenceSession(NETWORK.model, cluster=cluster, policy=policy, profile=profile, **options)  # pyright: ignore[reportArgumentType]


def test_profiled_planned_tried_and_run() -> None:
    with legion.local_cluster(devices=2) as cluster:
        stages: list[tuple[str, float]] = []
        session = legion.InferenceSession(
            NETWORK.content, cluster=cluster, progress=lambda stage, done: stages.append((stage, done))
        )
        outputs = session.run(None, NETWORK.feeds)
        assert NETWORK.error({"output": outputs[0]}) <= 1e-5
        assert session.predicted.source == "predicted"
        assert session.measured.source == "measured"
        assert {event.kind for event in session.measured.events} == {"receive", "run", "send"}
        assert session.measured.latency_s > 0
        assert all(0 <= done <= 1 for _, done in stages)
        assert {"profiling local-0", "profiling local-1"} <= {stage for stage, _ in stages}
        race = session.choice.race
        assert race is not None
        assert all(each.measured_s > 0 for each in race.tried)
        assert [(port.name, port.shape, port.type) for port in session.get_inputs()] == [
            ("input", [1, 3, 96, 96], "tensor(float)")
        ]


@pytest.mark.parametrize("policy", ["legion", "modnn", "coedge"])
def test_policies_agree_with_the_whole_model(policy: str) -> None:
    with legion.local_cluster(devices=3) as cluster:
        shares = dict(zip(cluster.devices, (0.5, 0.2, 0.3), strict=True))
        session = session_on(cluster, policy, shares=shares, trials=False)
        for _ in range(3):
            assert NETWORK.error({"output": session.run(["output"], NETWORK.feeds)[0]}) <= 1e-5


def test_sessions_share_a_cluster() -> None:
    with legion.local_cluster(devices=2) as cluster:
        first, second = session_on(cluster, trials=False), session_on(cluster, "coedge", trials=False)
        for session in (first, second, first):
            assert NETWORK.error({"output": session.run(None, NETWORK.feeds)[0]}) <= 1e-5
        with pytest.raises(legion.InputError, match="nothing has been measured"):
            _ = second.measured


def test_threads_may_run_different_sessions_of_one_cluster() -> None:
    """Both networks have an input x and an output y: a mix-up would go unnoticed."""
    shape = (1, 4, 8, 8)
    x = np.arange(1.0, 257.0, dtype=np.float32).reshape(shape)
    models = {}
    for kind in ("Relu", "Neg"):
        ports = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name in ("x", "y")]
        graph = helper.make_graph([helper.make_node(kind, ["x"], ["y"])], kind, *ports)
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        models[kind] = legion.load_model(proto.SerializeToString())
    with legion.local_cluster(devices=2) as cluster:
        sessions = {
            kind: legion.InferenceSession(
                model, cluster=cluster, profile=counted_profile_of(model, cluster.devices), trials=False
            )
            for kind, model in models.items()
        }

        def answers(kind: str) -> list[bool]:
            expected = -x if kind == "Neg" else x
            return [np.array_equal(sessions[kind].run(None, {"x": x})[0], expected) for _ in range(15)]

        with ThreadPoolExecutor() as pool:
            assert all(all(found) for found in pool.map(answers, ["Relu", "Neg"]))


def test_profiling_another_network_leaves_sessions_usable() -> None:
    with legion.local_cluster(devices=1) as cluster:
        session = session_on(cluster, trials=False)
        legion.profile_devices(small("mobilenetv2").model, cluster, policy=MeasurementPolicy(rounds=1))
        assert NETWORK.error({"output": session.run(None, NETWORK.feeds)[0]}) <= 1e-5


def test_a_profile_of_another_machine_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    with legion.local_cluster(devices=1) as cluster:
        known = counted_profile(NETWORK.model, {"local-0": 1.0})
        measured = legion.profile_devices(
            NETWORK.model, cluster, known=known, policy=MeasurementPolicy(rounds=1)
        ).devices["local-0"]
        assert measured.device == cluster.devices["local-0"]
        assert "another machine" in caplog.text
        again = legion.profile_devices(NETWORK.model, cluster, known=legion_profile(measured))
        assert again.devices["local-0"] is measured
        smaller = replace(measured, device=replace(measured.device, memory_bytes=1))
        again = legion.profile_devices(NETWORK.model, cluster, known=legion_profile(smaller))
        assert again.devices["local-0"] == measured


def test_two_devices_tell_whether_they_share_the_controllers_port() -> None:
    with start_local_workers(2) as workers, legion.connect(workers.devices) as cluster:
        known = counted_profile_of(NETWORK.model, cluster.devices)
        before = replace(known, devices={"local-0": known.devices["local-0"]})
        profile = legion.profile_devices(NETWORK.model, cluster, known=before, policy=MeasurementPolicy(rounds=1))
        assert [sample.direction for sample in profile.ports] == ["set", "get"]
        assert all(tuple(sample.alone_s) == ("local-0", "local-1") for sample in profile.ports)


def legion_profile(measured: DeviceProfile) -> Profile:
    return Profile(devices={measured.device.name: measured})


def test_a_closed_cluster_says_so() -> None:
    cluster = legion.local_cluster(devices=1)
    with cluster:
        session = session_on(cluster, trials=False)
    begun_s = time.monotonic()
    with pytest.raises(legion.InputError, match="closed"):
        session.run(None, NETWORK.feeds)
    with pytest.raises(legion.InputError, match="closed"):
        session_on(cluster, trials=False)
    assert time.monotonic() - begun_s < 20


@pytest.mark.parametrize(("devices", "threads"), [(0, 1), (-1, 1), (1, 0)])
def test_a_cluster_of_nothing_is_refused(devices: int, threads: int) -> None:
    with pytest.raises(legion.InputError, match="one is the least"):
        legion.local_cluster(devices, threads=threads)
    with pytest.raises(legion.InputError, match="at least one device"):
        legion.connect(())


def test_a_network_that_cannot_be_measured_beforehand_runs() -> None:
    """NonZero's output depends on the data, so no layer here can be profiled."""
    graph = helper.make_graph(
        [helper.make_node("NonZero", ["x"], ["places"]), helper.make_node("Cast", ["places"], ["y"], to=1)],
        "places",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (3, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (2, "count"))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    x = np.eye(3, 4, dtype=np.float32)
    with legion.local_cluster(devices=2) as cluster:
        (y,) = legion.InferenceSession(model.SerializeToString(), cluster=cluster).run(None, {"x": x})
    assert np.array_equal(y, np.array([[0, 1, 2], [0, 1, 2]], np.float32))


def test_bad_feeds_leave_the_session_usable() -> None:
    with legion.local_cluster(devices=1) as cluster:
        session = session_on(cluster, trials=False)
        with pytest.raises(legion.InputError, match="shape"):
            session.run(None, {"input": np.zeros((1, 3, 8, 8), np.float32)})
        with pytest.raises(legion.InputError, match="unknown"):
            session.run(["other"], NETWORK.feeds)
        assert NETWORK.error({"output": session.run(None, NETWORK.feeds)[0]}) <= 1e-5


def test_a_killed_worker_is_named_and_the_others_go_on() -> None:
    with start_local_workers(3) as workers:
        with legion.connect(workers.devices) as cluster:
            session = session_on(cluster, trials=False)
            session.run(None, NETWORK.feeds)
            os.kill(workers.process_ids[1], signal.SIGKILL)
            begun_s = time.monotonic()
            with pytest.raises(legion.PeerError, match="local-1"):
                for _ in range(1000):
                    session.run(None, NETWORK.feeds)
            assert time.monotonic() - begun_s < 20
        with legion.connect((workers.devices[0], workers.devices[2])) as cluster:
            session = session_on(cluster, trials=False)
            assert NETWORK.error({"output": session.run(None, NETWORK.feeds)[0]}) <= 1e-5


@contextmanager
def worker_at(address: str, cache: Path) -> Generator[tuple[subprocess.Popen[bytes], str]]:
    """A worker as its owner starts it, and where it listens."""
    words = ["worker", "--name", "a", "--bind", address, "--cache", str(cache)]
    process = subprocess.Popen([sys.executable, "-m", "legion", *words], stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        heard = (re.search(r"listens at (127\.0\.0\.1:\d+)", line.decode()) for line in process.stderr)
        yield process, next(found[1] for found in heard if found)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def worker_with_memory(name: str, memory_bytes: int, cache: Path) -> Generator[Device]:
    """A worker that tells that it has so much."""
    command = [sys.executable, "-m", "legion.runtime.worker_process", "--name", name, "--bind", "127.0.0.1:0"]
    command += ["--threads", "1", "--cache", str(cache), "--memory-bytes", str(memory_bytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Device(name=name, address=json.loads(process.stdout.readline())["address"])
        finally:
            process.kill()


@pytest.mark.parametrize("trials", [False, True])
def test_workers_that_cannot_hold_a_network_alone_hold_it_together(tmp_path: Path, trials: bool) -> None:
    alone = Planning(NETWORK.model, counted_profile(NETWORK.model, {"a": 1.0}))
    whole = alone.compile(alone.programs(alone.choose("auto").scheme))
    memory_bytes = int(0.75 * required_bytes(NETWORK.model, whole.nodes["a"]))
    with ExitStack() as stack:
        devices = [stack.enter_context(worker_with_memory(name, memory_bytes, tmp_path)) for name in ("a", "b")]
        with legion.connect(devices[:1]) as cluster, pytest.raises(legion.InfeasibleError, match="fit"):
            session_on(cluster, "auto", trials=trials)
        with legion.connect(devices) as cluster:
            session = session_on(cluster, "auto", trials=trials)
            assert NETWORK.error({"output": session.run(None, NETWORK.feeds)[0]}) <= 1e-5
            assert all(any(isinstance(s, Run) for s in session.programs[name].instructions) for name in ("a", "b"))


def test_a_worker_that_was_restarted_is_taken_again(tmp_path: Path) -> None:
    def error() -> float:
        return NETWORK.error({"output": session.run(None, NETWORK.feeds)[0]})

    with (
        worker_at("127.0.0.1:0", tmp_path) as (first, address),
        legion.connect([Device(name="a", address=address)]) as cluster,
    ):
        session = session_on(cluster, trials=False)
        assert error() <= 1e-5
        first.kill()
        first.wait()
        with pytest.raises(legion.PeerError, match="device a"):
            error()
        with worker_at(address, tmp_path):
            assert error() <= 1e-5
            assert session.measured.latency_s > 0


def test_outputs_that_need_no_device() -> None:
    """A constant as an output, an input as an output, float16 at the ports, and two inputs."""
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["a", "b"], ["sum"]),
            helper.make_node("Constant", [], ["fixed"], value_floats=[1.0, 2.0]),
        ],
        "ports",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT16, (1, 2, 8, 8)) for name in ("a", "b")],
        [
            helper.make_tensor_value_info("sum", TensorProto.FLOAT16, (1, 2, 8, 8)),
            helper.make_tensor_value_info("fixed", TensorProto.FLOAT, (2,)),
            helper.make_tensor_value_info("a", TensorProto.FLOAT16, (1, 2, 8, 8)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    imported = legion.load_model(model.SerializeToString())
    feeds = {name: np.full((1, 2, 8, 8), value, np.float16) for name, value in (("a", 1.5), ("b", 2.0))}
    with legion.local_cluster(devices=2) as cluster:
        profile = counted_profile_of(imported, cluster.devices)
        session = legion.InferenceSession(imported, cluster=cluster, profile=profile, trials=False)
        total, fixed, same = session.run(None, feeds)
    assert total.dtype == np.float16
    assert np.all(total == 3.5)
    assert fixed.tolist() == [1.0, 2.0]
    assert np.array_equal(same, feeds["a"])


def test_two_branches_and_outputs_that_others_read() -> None:
    shape = (1, 4, 24, 24)
    weights = np.random.default_rng(0).standard_normal((4, 4, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["left"], pads=[1] * 4),
            helper.make_node("Conv", ["y", "w"], ["right"], pads=[1] * 4),
            helper.make_node("Concat", ["left", "right"], ["both"], axis=1),
            helper.make_node("MaxPool", ["both"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Relu", ["pooled"], ["positive"]),
            helper.make_node("ReduceMean", ["left"], ["mean"], keepdims=0),
        ],
        "branches",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")],
        [
            helper.make_tensor_value_info("pooled", TensorProto.FLOAT, (1, 8, 12, 12)),
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, ()),
            helper.make_tensor_value_info("positive", TensorProto.FLOAT, (1, 8, 12, 12)),
        ],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    network = network_of(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()
    )
    with legion.local_cluster(devices=3) as cluster:
        profile = counted_profile_of(network.model, cluster.devices)
        for policy in ("legion", "modnn", "coedge"):
            session = legion.InferenceSession(
                network.model, cluster=cluster, policy=policy, profile=profile, trials=False
            )
            names = [port.name for port in session.get_outputs()]
            outputs = dict(zip(names, session.run(None, network.feeds), strict=True))
            assert network.error(outputs) <= 1e-5
