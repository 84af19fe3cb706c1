"""What was measured and what was published, read back from their files."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench.paper.cells import MEASURED_SETS, MODELS
from bench.paper.results import CellResult, MeasuredPolicy

DATA = Path(__file__).parent.parent / "data"

Place = tuple[str, str]
"""A network and a set of devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFile(CellResult):
    """A cell's result with its setting."""

    model: str
    devices: str
    setting: Mapping[str, Any]

    def policy(self, name: str) -> MeasuredPolicy | None:
        """What was measured of a policy; None if it was not."""
        return next((each for each in self.policies if each.policy == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The paper's figures by cell, then policy, as far as there are any."""

    speedups: Mapping[Place, Mapping[str, float]]
    profiling_s: Mapping[Place, Mapping[str, float]]


Cells = Mapping[Place, CellFile]


def places() -> list[Place]:
    """All cells, in the order of the tables."""
    return [(model, devices) for model in MODELS for devices in MEASURED_SETS]


def read_cells(folder: Path) -> Cells:
    """All cells whose results lie in a folder, in the order of the tables, as `read_result` gives them.

    Of a place that was measured more than once, what was measured in the least slow motion.
    """
    found = [msgspec.convert(read_result(path), type=CellFile) for path in folder.glob("*.json")]
    found.sort(key=lambda cell: time_dilation(cell.setting), reverse=True)
    by_place = {(cell.model, cell.devices): cell for cell in found}
    return {place: by_place[place] for place in places() if place in by_place}


def read_result(path: Path) -> Any:
    """A cell's result as plain JSON, whose seconds are those of its boards; the setting is left as it is."""
    content = json.loads(path.read_text(encoding="utf-8"))
    by = time_dilation(content["setting"])
    return {name: value if name == "setting" else _less_dilated(value, by) for name, value in content.items()}


def time_dilation(setting: Mapping[str, Any]) -> float:
    """How many seconds here one of the boards' took, by a result's setting."""
    return setting["lab"].get("time_dilation", 1.0)


def _less_dilated(value: Any, by: float, *, seconds: bool = False) -> Any:
    """With all numbers divided that stand under a name that ends in `_s`."""
    match value:
        case dict():
            return {
                name: _less_dilated(each, by, seconds=seconds or name.endswith("_s")) for name, each in value.items()
            }
        case list():
            return [_less_dilated(each, by, seconds=seconds) for each in value]
        case float() if seconds:
            return value / by
        case _:
            return value


def measured_policy(cells: Cells, place: Place, policy: str) -> MeasuredPolicy | None:
    """What was measured of a policy at a place; None if it was not."""
    return cells[place].policy(policy) if place in cells else None


def read_published() -> Published:
    """The figures of `bench/data`."""
    return Published(
        speedups=_figures(DATA / "published_speedups.csv"), profiling_s=_figures(DATA / "published_profiling_s.csv")
    )


def _figures(path: Path) -> Mapping[Place, Mapping[str, float]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (row.pop("model"), row.pop("devices")): {policy: float(value) for policy, value in row.items()}
            for row in csv.DictReader(file)
        }
