"""What was measured and what was published, read back from their files."""

import csv
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
    """All cells whose results lie in a folder, in the order of the tables; raises msgspec's error for another file."""
    found = [msgspec.json.decode(path.read_bytes(), type=CellFile) for path in folder.glob("*.json")]
    by_place = {(cell.model, cell.devices): cell for cell in found}
    return {place: by_place[place] for place in places() if place in by_place}


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
