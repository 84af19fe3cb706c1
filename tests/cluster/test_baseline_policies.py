"""Policies that measure more than the model's layers, on real workers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import legion
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.samples import Profile
from legion.profile.training import plan_training
from support.networks import Network, network_of, small
from support.profiles import counted_profile_of


def four_layers() -> Network:
    """A chain that splits by rows: ten groups."""
    generator = np.random.default_rng(0)
    nodes, weights = [], []
    for index in range(4):
        name = f"w{index}"
        weights.append(numpy_helper.from_array(generator.standard_normal((4, 4, 3, 3)).astype(np.float32) / 6, name))
        nodes.append(helper.make_node("Conv", [f"t{index}", name], [f"t{index + 1}"], pads=[1] * 4))
    kinds = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4, 24, 24)) for name in ("t0", "t4")]
    graph = helper.make_graph(nodes, "chain", kinds[:1], kinds[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return network_of(model.SerializeToString())


def test_a_full_search_that_is_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    network, path = four_layers(), tmp_path / "trials.jsonl"
    tried: list[str] = []

    def interrupting(stage: str, fraction: float) -> None:
        if stage.startswith("trying") and fraction == 0:
            tried.append(stage)
            if len(tried) == 5:
                raise KeyboardInterrupt

    with legion.local_cluster(devices=2) as cluster:
        profile = counted_profile_of(network.model, cluster.devices)

        def search(progress, policy: str = "full-search") -> legion.InferenceSession:
            return legion.InferenceSession(
                network.model,
                cluster=cluster,
                policy=policy,
                profile=profile,
                trials_file=path,
                progress=progress,
            )

        with pytest.raises(KeyboardInterrupt):
            search(interrupting)
        assert len(path.read_text().splitlines()) == 1 + 4
        session = search(interrupting)
        assert len(tried) == 5 + 6
        assert len(path.read_text().splitlines()) == 1 + 10
        assert network.error({"t4": session.run(None, network.feeds)[0]}) <= 1e-5
        cost = session.measurement_costs["trials"]
        kept = [json.loads(line)["cost"] for line in path.read_text().splitlines()[1:]]
        assert cost.wall_s == pytest.approx(sum(each["wall_s"] for each in kept))
        assert cost.bytes_moved >= 5 * 10 * 4 * 24 * 24 * 4 * 2
        assert cost.device_busy_s > 0
        assert len(cost.segments) >= 10
        measured = session.choice.matrices
        assert measured is not None
        assert sum(session.choice.predicted_group_s) == pytest.approx(
            sum(measured.T[group.layers[0], group.layers[-1]] for group in session.scheme.groups)
        )
        again = search(lambda *_: None)
        assert again.scheme == session.scheme
        assert len(tried) == 11
        assert again.measurement_costs["trials"] == cost
        lazily = search(interrupting, "lazy-search")
        assert len(tried) == 11, "what a full search measured serves a lazy one"
        report, best_s = lazily.choice.group_search, sum(session.choice.predicted_group_s)
        assert report is not None
        assert report.groups == 10
        assert best_s <= sum(lazily.choice.predicted_group_s)
        assert lazily.measurement_costs["trials"].wall_s <= cost.wall_s


def test_aofl_is_trained_on_the_device() -> None:
    network = small("resnet18")
    training = {probe.key for probe in plan_training().probes}
    with legion.local_cluster(devices=1) as cluster:
        (name,) = cluster.devices
        counted = counted_profile_of(network.model, cluster.devices).devices[name]
        untrained = replace(counted, layers=tuple(each for each in counted.layers if each.key not in training))
        known = Profile(devices={name: untrained}, shared_cost=MeasurementCost(wall_s=3.0))
        assert legion.profile_devices(network.model, cluster, known=known) == known
        session = legion.InferenceSession(network.model, cluster=cluster, policy="aofl", profile=known)
        costs = session.measurement_costs
        assert costs["links"] == session.profile.devices[name].costs["links"] + known.shared_cost
        assert {part for part, cost in costs.items() if cost.wall_s > 0} == {"training", "links"}
        assert costs["training"].device_busy_s > 0
        assert training <= {sample.key for sample in session.profile.devices[name].layers}
        assert network.error({"output": session.run(None, network.feeds)[0]}) <= 1e-5
