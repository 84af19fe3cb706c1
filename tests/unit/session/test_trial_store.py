"""Trials in a file: kept as they come, read after an interruption, never mixed up."""

from dataclasses import replace
from pathlib import Path

import pytest

from legion.errors import InputError
from legion.geometry.demand import Demand
from legion.plan.assign import assign
from legion.profile.measurement_cost import MeasurementCost
from legion.session.trial_store import TrialRecord, TrialStore, trial_key
from support.networks import small
from support.profiles import counted_profile

MODEL = small("vgg16").model
DEVICES = {name: profile.device for name, profile in counted_profile(MODEL, {"a": 1.0, "b": 0.5}).devices.items()}


def record(key: str) -> TrialRecord:
    cost = MeasurementCost(device_busy_s=2.0, wall_s=1.0, bytes_moved=10, segments=frozenset({f"a {key}", "b x"}))
    return TrialRecord(
        key=key,
        model="m",
        latencies_s=(0.1, 0.3, 0.2),
        run_s={"a": (0.1, 0.2, 0.1)},
        overruns_s=(0.0, 0.1, 0.0),
        cost=cost,
    )


def a_scheme(shares: dict[str, float], policy: str = "one"):
    layers = range(len(MODEL.layers))
    return assign(MODEL, Demand(MODEL), [layers[:8], layers[8:]], shares, via_controller=True, policy=policy)


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    store = TrialStore(path)
    for key in ("one", "two"):
        store.add(record(key))
    again = TrialStore(path)
    assert [again.get(key) for key in ("one", "two", "three")] == [record("one"), record("two"), None]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_that_was_cut_off_is_measured_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "trials.jsonl"
    store = TrialStore(path)
    store.add(record("one"))
    store.add(record("two"))
    path.write_bytes(path.read_bytes()[:-cut])
    resumed = TrialStore(path)
    assert resumed.get("one") == record("one")
    assert resumed.get("two") is None
    resumed.add(record("two"))
    assert TrialStore(path).get("two") == record("two")


@pytest.mark.parametrize("content", [b"", b"my shopping list", b'{"format_version":1}\n{}\n'])
def test_other_files_are_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="holds no trials"):
        TrialStore(path)
    assert path.read_bytes() == content


def test_damage_and_missing_folders_are_named(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    TrialStore(path).add(record("one"))
    path.write_bytes(path.read_bytes() + b"nonsense\n")
    with pytest.raises(InputError, match="damaged"):
        TrialStore(path)
    with pytest.raises(InputError, match="cannot be used"):
        TrialStore(tmp_path / "nowhere" / "trials.jsonl")


def test_the_key_is_of_what_runs_and_where() -> None:
    key = trial_key(a_scheme({"a": 0.6, "b": 0.4}), DEVICES)
    assert key == trial_key(a_scheme({"a": 0.6, "b": 0.4}, policy="other"), DEVICES)
    assert key == trial_key(a_scheme({"a": 0.6001, "b": 0.3999}), DEVICES)  # the same rows
    assert key != trial_key(a_scheme({"a": 0.7, "b": 0.3}), DEVICES)
    assert key != trial_key(replace(a_scheme({"a": 0.6, "b": 0.4}), model_digest="other"), DEVICES)
    upgraded = {**DEVICES, "b": replace(DEVICES["b"], versions={"onnxruntime": "9"})}
    assert key != trial_key(a_scheme({"a": 0.6, "b": 0.4}), upgraded)


def test_costs_add_up_and_shared_segments_count_once() -> None:
    total = record("one").cost + record("two").cost
    assert (total.device_busy_s, total.wall_s, total.bytes_moved) == (4.0, 2.0, 20)
    assert total.segments == {"a one", "a two", "b x"}
