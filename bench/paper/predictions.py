"""Predicts the groups of measured cells anew, after the cost model has changed: `python -m bench.paper.predictions`.

Nothing runs on devices: profiles and trials are those that were kept in `bench/results/paper/trials`. Each result that
changes says at which commit its groups were predicted.
"""

import json

import msgspec

from bench.paper.candidates import searched_shares
from bench.paper.cells import MEASURED_SETS, MODELS, Cell
from bench.paper.groups import measured_groups
from bench.results_file import setting
from legion.model import zoo
from legion.model.onnx_import import load_model
from legion.profile.store import read_profile
from legion.session.stages import Planning
from legion.session.trial_store import TrialStore


def main() -> None:
    """All cells whose profile and trials are there."""
    for name in MODELS:
        model = load_model(zoo.build(name).SerializeToString())
        for cell in (Cell(model=name, devices=devices) for devices in MEASURED_SETS):
            if not all(path.exists() for path in (cell.result, cell.profile, cell.trials, cell.shares)):
                continue
            content = json.loads(cell.result.read_text(encoding="utf-8"))
            profile = read_profile(cell.profile)
            planning = Planning(model, profile)
            groups = measured_groups(planning, profile, TrialStore(cell.trials), searched_shares(cell, planning))
            if len(groups) < len(content["groups"]):
                print(f"{cell.name}: left alone, its profile is of other devices than its trials")
                continue
            content["groups"] = msgspec.to_builtins(groups)
            content["setting"]["groups_predicted_by"] = setting()["commit"]
            cell.result.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            print(f"{cell.name}: {len(groups)} groups")


if __name__ == "__main__":
    main()
