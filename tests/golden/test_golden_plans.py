"""Plans and matrices as they were: a change of them is deliberate (`make golden`), or a mistake."""

import json
from pathlib import Path

import numpy as np
import pytest

from legion.model.zoo import NAMES
from legion.policy.policies import POLICIES
from legion.session.stages import Planning
from support.networks import small
from support.profiles import counted_profile

DEVICES = {
    "two equal": {"a": 1.0, "b": 1.0},
    "three unequal": {"a": 1.0, "b": 0.55, "c": 0.3},
}
HERE = Path(__file__).parent


def facts(name: str) -> dict[str, object]:
    """What is compared: groups, shares, costs and programs, with numbers to five digits."""
    model = small(name).model
    found: dict[str, object] = {}
    for kind, speeds in DEVICES.items():
        planning = Planning(model, counted_profile(model, speeds))
        for policy in POLICIES:
            choice = planning.choose(policy)
            programs = planning.programs(choice.scheme)
            found[f"{kind}, {policy}"] = {
                "groups": [[group.layers[0], group.layers[-1]] for group in choice.scheme.groups],
                "shares": {device: rounded(share) for device, share in choice.shares.items()},
                "predicted_group_s": [rounded(seconds) for seconds in choice.predicted_group_s],
                "predicted_latency_s": rounded(planning.predict(programs).latency_s),
                "instructions": {node: len(program.instructions) for node, program in programs.items()},
                "T_diagonal_s": None if choice.matrices is None else list(map(rounded, np.diag(choice.matrices.T))),
                "T_sum_s": None if choice.matrices is None else rounded(choice.matrices.T.sum()),
                "A_sum": None if choice.matrices is None else rounded(choice.matrices.A.sum()),
            }
    return found


def rounded(value: float) -> float:
    return float(f"{value:.5g}")


@pytest.mark.parametrize("name", NAMES)
def test_plans_are_as_they_were(name: str, request: pytest.FixtureRequest) -> None:
    path = HERE / f"{name}.json"
    found = json.loads(json.dumps(facts(name)))
    if request.config.getoption("--write-golden"):
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(path.read_text(encoding="utf-8")), "if that is meant: make golden"
