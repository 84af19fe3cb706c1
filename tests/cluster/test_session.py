"""The public interface on real workers."""

import os
import signal
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import legion
from legion.runtime.local import start_local_workers
from support.networks import network_of, small
from support.profiles import counted_profile

NETWORK = small("resnet18")


def session_on(cluster: legion.Cluster, policy: str = "legion", **options: object) -> legion.InferenceSession:
    profile = counted_profile(NETWORK.model, dict.fromkeys(cluster.devices, 1.0))
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
        report = session.choice.wild_card
        if report is not None:
            assert report.decided_by == "measured"
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
        profile = counted_profile(imported, dict.fromkeys(cluster.devices, 1.0))
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
        profile = counted_profile(network.model, dict.fromkeys(cluster.devices, 1.0))
        for policy in ("legion", "modnn", "coedge"):
            session = legion.InferenceSession(
                network.model, cluster=cluster, policy=policy, profile=profile, trials=False
            )
            names = [port.name for port in session.get_outputs()]
            outputs = dict(zip(names, session.run(None, network.feeds), strict=True))
            assert network.error(outputs) <= 1e-5
