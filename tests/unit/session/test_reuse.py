"""Nothing is measured or chosen twice, unless something has changed on which it depends."""

import threading
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from legion.policy.base import Choice
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.samples import Profile
from legion.session import reuse
from legion.session.cache import OLDEST_PROFILE, Cache
from legion.session.reuse import choose_once, profile_once
from legion.session.stages import Planning
from support.networks import small
from support.profiles import counted_profile

MODEL = small("vgg16").model
PROFILE = counted_profile(MODEL, {"a": 1.0, "b": 0.5})


def cluster_of(profile: Profile, reached: str = "there") -> SimpleNamespace:
    devices = {name: each.device for name, each in profile.devices.items()}
    return SimpleNamespace(devices=devices, reached=reached, exclusive=threading.RLock(), share_machine=False)


class Trials:
    """Every plan takes a second on the devices, and asking costs two."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, *_: object) -> float:
        self.asked += 1
        return 1.0

    @property
    def cost(self) -> MeasurementCost:
        return MeasurementCost(wall_s=2.0 * self.asked)


def same(one: Choice, other: Choice) -> bool:
    """Equal in all, matrices included."""
    matrices = [each.matrices for each in (one, other)]
    if None not in matrices:
        for field in fields(matrices[0]):
            if not np.array_equal(*(getattr(each, field.name) for each in matrices)):
                return False
        one, other = replace(one, matrices=None), replace(other, matrices=None)
    return all(getattr(one, field.name) == getattr(other, field.name) for field in fields(Choice))


@pytest.mark.parametrize("policy", ["auto", "legion", "legion-one-port", "coedge", "aofl", "early-fused", "modnn"])
def test_a_choice_comes_back_as_it_was(tmp_path: Path, policy: str) -> None:
    """Two planners, as in two runs of a program."""
    trials = Trials()
    first = choose_once(Planning(MODEL, PROFILE), policy, Cache(tmp_path), trials=trials, tried_on=cluster_of(PROFILE))
    asked = trials.asked
    again = choose_once(Planning(MODEL, PROFILE), policy, Cache(tmp_path), trials=trials, tried_on=cluster_of(PROFILE))
    assert first.age_s is None
    assert again.age_s is not None
    assert 0 <= again.age_s < 600
    assert trials.asked == asked
    assert again.trials == first.trials == MeasurementCost(wall_s=2.0 * asked)
    assert same(first.choice, again.choice)


CHANGES: dict[str, Callable[[], tuple[Planning, str, dict[str, object]]]] = {
    "the policy": lambda: (Planning(MODEL, PROFILE), "modnn", {}),
    "the model": lambda: (Planning(replace(MODEL, digest="other"), PROFILE), "coedge", {}),
    "a sample": lambda: (Planning(MODEL, counted_profile(MODEL, {"a": 1.0, "b": 0.501})), "coedge", {}),
    "the devices": lambda: (Planning(MODEL, PROFILE, ("a",)), "coedge", {}),
    "the order of devices": lambda: (Planning(MODEL, PROFILE, ("b", "a")), "coedge", {}),
    "shares": lambda: (Planning(MODEL, PROFILE), "coedge", {"shares": {"a": 0.5, "b": 0.5}}),
    "trials": lambda: (
        Planning(MODEL, PROFILE), "coedge", {"trials": Trials(), "tried_on": cluster_of(PROFILE)}
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_what_has_changed_is_planned_anew(tmp_path: Path, what: str) -> None:
    cache = Cache(tmp_path)
    choose_once(Planning(MODEL, PROFILE), "coedge", cache)
    planning, policy, more = CHANGES[what]()
    assert choose_once(planning, policy, cache, **more).age_s is None
    assert choose_once(planning, policy, cache, **more).age_s is not None
    assert choose_once(Planning(MODEL, PROFILE), "coedge", cache).age_s is not None


def test_trials_on_other_devices_and_other_shares_are_other_plans(tmp_path: Path) -> None:
    cache, planning = Cache(tmp_path), Planning(MODEL, PROFILE)
    for more in (
        {"trials": Trials(), "tried_on": cluster_of(PROFILE)},
        {"trials": Trials(), "tried_on": cluster_of(PROFILE, "elsewhere")},
        {"shares": {"a": 0.5, "b": 0.25}},
        {"shares": {"b": 0.25, "a": 0.5}},
    ):
        assert choose_once(planning, "coedge", cache, **more).age_s is None


@pytest.mark.parametrize("name", ["moves.py", "libsearch.so"])
def test_another_planner_plans_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Legion's code is part of what a plan depends on, to the last letter."""
    package = tmp_path / "package"
    (package / "search").mkdir(parents=True)
    (package / "search" / name).write_text("effort = 1")
    monkeypatch.setattr(reuse.legion, "__file__", str(package / "__init__.py"))
    cache, planning = Cache(tmp_path), Planning(MODEL, PROFILE)
    choose_once(planning, "coedge", cache)
    assert choose_once(planning, "coedge", cache).age_s is not None
    (package / "search" / name).write_text("effort = 2")
    assert choose_once(planning, "coedge", cache).age_s is None


def test_without_a_cache_all_is_made_anew() -> None:
    planning = Planning(MODEL, PROFILE)
    assert [choose_once(planning, "coedge", None).age_s for _ in range(2)] == [None, None]


class Measuring:
    """Takes the place of `profile_devices`: knows what `PROFILE` holds, and adds what is asked for."""

    def __init__(self) -> None:
        self.known: list[Profile | None] = []

    def __call__(self, _model: object, _cluster: object, *, known: Profile | None, training: bool, **_: object):
        self.known.append(known)
        full = training or (known is not None and len(known.devices["a"].costs) > 0)
        cost = {"training": MeasurementCost(wall_s=1.0)} if full else {}
        return Profile(devices={name: replace(each, costs=cost) for name, each in PROFILE.devices.items()})


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Measuring:
    measuring = Measuring()
    monkeypatch.setattr(reuse, "profile_devices", measuring)
    return measuring


def test_a_profile_comes_back_for_the_same_devices(tmp_path: Path, measuring: Measuring) -> None:
    first = profile_once(MODEL, cluster_of(PROFILE), Cache(tmp_path))
    again = profile_once(MODEL, cluster_of(PROFILE), Cache(tmp_path))
    assert first.age_s is None
    assert again.age_s is not None
    assert again.profile == first.profile
    assert measuring.known == [None, first.profile]


def test_a_profile_is_not_taken_for_another_model_place_or_machine(tmp_path: Path, measuring: Measuring) -> None:
    cache, cluster = Cache(tmp_path), cluster_of(PROFILE)
    profile_once(MODEL, cluster, cache)
    upgraded = cluster_of(PROFILE)
    upgraded.devices["b"] = replace(upgraded.devices["b"], versions={"none": "2"})
    profile_once(replace(MODEL, digest="other"), cluster, cache)
    profile_once(MODEL, cluster_of(PROFILE, "elsewhere"), cache)
    profile_once(MODEL, upgraded, cache)
    assert measuring.known == [None] * 4


def test_an_old_profile_is_not_believed(tmp_path: Path, measuring: Measuring) -> None:
    cache, cluster, now = Cache(tmp_path), cluster_of(PROFILE), datetime.now(UTC)
    for since, believed in (
        (now - OLDEST_PROFILE + timedelta(minutes=5), True),
        (now - OLDEST_PROFILE - timedelta(minutes=5), False),
        (now + timedelta(minutes=5), False),
    ):
        cache.keep_profile(MODEL, cluster, PROFILE, since)
        assert (profile_once(MODEL, cluster, cache).age_s is not None) == believed
    assert [known is not None for known in measuring.known] == [True, False, False]


def test_what_is_added_does_not_make_a_profile_younger(tmp_path: Path, measuring: Measuring) -> None:
    cache, cluster = Cache(tmp_path), cluster_of(PROFILE)
    since = datetime.now(UTC) - timedelta(hours=1)
    cache.keep_profile(MODEL, cluster, PROFILE, since)
    profile_once(MODEL, cluster, cache, training=True)
    kept = cache.profile(MODEL, cluster)
    assert kept is not None
    assert kept.since == since
    assert "training" in kept.profile.devices["a"].costs


def test_a_profile_that_is_given_takes_the_place_of_the_cached_one(tmp_path: Path, measuring: Measuring) -> None:
    cache, cluster = Cache(tmp_path), cluster_of(PROFILE)
    profile_once(MODEL, cluster, cache)
    other = counted_profile(MODEL, {"a": 2.0, "b": 2.0})
    assert profile_once(MODEL, cluster, cache, known=other).age_s is None
    assert measuring.known[-1] is other
    assert profile_once(MODEL, cluster, cache).profile == PROFILE
