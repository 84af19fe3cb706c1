"""Each policy's plan gives the whole model's answer, on every small network of the zoo and on published topologies."""

from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
import pytest

from legion.model.zoo import NAMES
from legion.model.zoo.reseed import before_softmax, reseed
from legion.policy.policies import POLICIES
from legion.session.stages import Planning
from support.interpreter import Interpreter
from support.networks import Network, network_of, prepared, small
from support.profiles import counted_profile

pytestmark = pytest.mark.usefixtures("short_search")

LIGHT = Path(onnx.backend.test.__file__).parent / "data" / "light"
LIGHT_NAMES = ("densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet")
"""Without the three whose weights alone take seconds to draw: the benchmark of exactness has them all."""
DETECTOR = Path(__file__).parents[4] / "shared" / "models" / "version-RFB-320.onnx"
SPEEDS = {"a": 1.0, "b": 0.45, "c": 0.7}
TOLERANCE = 1e-5


@cache
def light(name: str) -> Network:
    return network_of(before_softmax(reseed(onnx.load(LIGHT / f"light_{name}.onnx"))).SerializeToString())


@lru_cache(maxsize=4)
def planning_of(network: Network, speeds: tuple[tuple[str, float], ...]) -> Planning:
    """What policies choose from; one after the other chooses for the same devices."""
    return Planning(network.model, counted_profile(network.model, dict(speeds)))


def error(network: Network, policy: str, speeds: dict[str, float], shares: dict[str, float] | None = None) -> float:
    planning = planning_of(network, tuple(speeds.items()))
    plan = planning.compile(planning.programs(planning.choose(policy, shares=shares).scheme))
    return network.error(Interpreter(network.model, plan).run(network.feeds))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_zoo(name: str, policy: str, count: int) -> None:
    drawn = np.random.default_rng(count).uniform(0.1, 1.0, count)
    speeds = {f"device-{index}": float(speed) for index, speed in enumerate(drawn)}
    assert error(small(name), policy, speeds) <= TOLERANCE


@pytest.mark.parametrize("policy", ["legion", "coedge"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_prepared_for_bytes(name: str, policy: str, count: int) -> None:
    speeds = dict(list(SPEEDS.items())[:count])
    assert error(prepared(name), policy, speeds) <= TOLERANCE


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", NAMES)
def test_random_shares(name: str, policy: str) -> None:
    shares = dict(zip(SPEEDS, np.random.default_rng(len(name)).dirichlet([1.0] * len(SPEEDS)).tolist(), strict=True))
    assert error(small(name), policy, SPEEDS, shares) <= TOLERANCE


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", LIGHT_NAMES)
def test_published_topologies(name: str, policy: str) -> None:
    assert error(light(name), policy, SPEEDS) <= TOLERANCE


@pytest.mark.skipif(not DETECTOR.exists(), reason="the face detector's file is not beside this checkout")
@pytest.mark.parametrize("policy", POLICIES)
def test_face_detector(policy: str) -> None:
    assert error(network_of(DETECTOR.read_bytes()), policy, SPEEDS) <= TOLERANCE
