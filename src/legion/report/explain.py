"""Why a plan takes the time that it takes, how far that is from the least, and what would help."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from legion.cost.link_cost import Link
from legion.cost.model import CostModel
from legion.cost.tables import build_tables
from legion.cost.variation import varied
from legion.geometry.demand import Demand
from legion.geometry.segment import Segment
from legion.model.model import Model
from legion.plan.program import Program
from legion.plan.timeline import Timeline
from legion.report.breakdown import Account, Breakdown
from legion.search.bound import Bound, lower_bound
from legion.simulate.simulate import Costs
from legion.simulate.typical import typical_frame

_FASTER = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A change to the devices or the network, and what the same programs are predicted to take then."""

    change: str
    latency_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The parts of the predicted latency, and of a measured one; what no plan can beat; and changes, the best first."""

    predicted_s: float
    predicted: Breakdown
    measured_s: float | None
    measured: Breakdown | None
    bound: Bound
    what_ifs: tuple[WhatIf, ...]


def explain(
    model: Model,
    demand: Demand,
    cost: CostModel,
    programs: Mapping[str, Program],
    measured: Timeline | None = None,
) -> Explanation:
    """Account for a plan by its programs, predicted by simulation, and measured where it was run."""
    predicted = typical_frame(programs, model, varied(cost))
    tables = build_tables(model, demand, cost, cost.devices)
    account = Account(model, cost, tables, programs, predicted)
    return Explanation(
        predicted_s=predicted.latency_s,
        predicted=account.breakdown(predicted),
        measured_s=measured.latency_s if measured else None,
        measured=account.breakdown(measured) if measured else None,
        bound=lower_bound(tables),
        what_ifs=_what_ifs(model, cost, programs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed:
    """Costs with some of them multiplied; see `legion.simulate.simulate.Costs`."""

    cost: Costs
    running: float = 1.0
    handling: float = 1.0
    wire: float = 1.0

    def run_s(self, device: str, segment: Segment) -> float:
        return self.running * self.cost.run_s(device, segment)

    def copy_s(self, node: str, size_bytes: int) -> float:
        return self.cost.copy_s(node, size_bytes)

    def message_s(self, node: str) -> float:
        return self.handling * self.cost.message_s(node)

    def link(self, source: str, destination: str) -> Link:
        link = self.cost.link(source, destination)
        return replace(link, latency_s=self.wire * link.latency_s, seconds_per_byte=self.wire * link.seconds_per_byte)


def _what_ifs(model: Model, cost: CostModel, programs: Mapping[str, Program]) -> tuple[WhatIf, ...]:
    frames = varied(cost)
    changes = {
        "links infinitely fast": (model, [_Changed(cost=each, wire=0.0) for each in frames]),
        "messages free": (model, [_Changed(cost=each, handling=0.0) for each in frames]),
        "every device 10 % faster": (model, [_Changed(cost=each, running=1 / _FASTER) for each in frames]),
    }
    fed_bytes = _fed_bytes(model)
    if fed_bytes is not None:
        changes["8-bit input"] = (fed_bytes, [_Changed(cost=each) for each in frames])
    what_ifs = [
        WhatIf(change=change, latency_s=typical_frame(programs, changed, costs).latency_s)
        for change, (changed, costs) in changes.items()
    ]
    return tuple(sorted(what_ifs, key=lambda what_if: what_if.latency_s))


def _fed_bytes(model: Model) -> Model | None:
    """The model as if its first input were bytes, for counting what travels; None where that is not floats."""
    first = model.inputs[0].name
    kind = model.tensors[first]
    if not np.issubdtype(np.dtype(kind.dtype), np.floating):
        return None
    return replace(model, tensors={**model.tensors, first: replace(kind, dtype="uint8")})
