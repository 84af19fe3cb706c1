"""What is measured: a network on a set of boards is a cell, and each cell has its files."""

from dataclasses import dataclass
from pathlib import Path

from bench.results_file import RESULTS
from legion.lab.setting import SlowBy

SETS = Path(__file__).parent.parent / "sets"
KNOWN_SETS = tuple(sorted(path.stem for path in SETS.glob("*.toml")))
PAPER_RESULTS = RESULTS / "paper"
TRIALS = PAPER_RESULTS / "trials"
"""What was measured on the way to a cell's result: profiles and trials, so that an interrupted run goes on."""

MODELS = ("vgg16", "vgg19", "yolov2")
FIREFLY_SETS = ("1F", "2F", "3F", "4F", "5F", "6F")
ODROID_SETS = ("1O", "2O", "3O")
MIXED_SETS = ("1F+1O", "2F+1O", "2F+2O", "3F+2O", "3F+3O")
MEASURED_SETS = tuple(name for name in (*FIREFLY_SETS, *ODROID_SETS, *MIXED_SETS) if name not in {"1F", "1O"})
"""One board alone is what the others are compared with, in the same run."""

POLICIES = (
    "full-search",
    "lazy-search",
    "legion",
    "legion-one-port",
    "aofl",
    "early-fused",
    "modnn",
    "coedge",
    "auto",
)
"""The paper's, other works', and our own, `lazy-search` and `auto`, which are no part of the paper's comparison."""

FSS, WILD_CARD = "full-search", "legion"
"""Compared most, the paper's own."""

BYTES = "-8bit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A network of the zoo on a set of boards; one that takes an image's bytes has `-8bit` after its name.

    `controller_mbit_per_s` is what the controller's port carries, if not what the set's file says.
    """

    model: str
    devices: str
    slow_by: SlowBy = "pacing"
    time_dilation: float = 1.0
    controller_mbit_per_s: float | None = None

    @property
    def name(self) -> str:
        slowed = "" if self.slow_by == "pacing" else f"-{self.slow_by}"
        dilated = "" if self.time_dilation == 1 else f"-dilated-{self.time_dilation:g}"
        port = "" if self.controller_mbit_per_s is None else f"-controller-{self.controller_mbit_per_s:g}"
        return f"{self.model}-{self.devices}{port}{slowed}{dilated}"

    @property
    def zoo_name(self) -> str:
        return self.model.removesuffix(BYTES)

    @property
    def takes_bytes(self) -> bool:
        return self.model.endswith(BYTES)

    @property
    def lab_file(self) -> Path:
        return SETS / f"{self.devices}.toml"

    @property
    def result(self) -> Path:
        return PAPER_RESULTS / f"{self.name}.json"

    @property
    def profile(self) -> Path:
        return TRIALS / f"{self.name}.profile.json"

    @property
    def trials(self) -> Path:
        return TRIALS / f"{self.name}.trials.jsonl"

    @property
    def shares(self) -> Path:
        """At which the groups of the full search are measured: kept, since another profile gives others."""
        return TRIALS / f"{self.name}.shares.json"
