"""Where the time of a frame went: one account for predicted and measured timelines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from legion.cost.model import CostModel
from legion.cost.tables import Array, Tables
from legion.geometry.box import Box
from legion.geometry.segment import Segment
from legion.model.model import Model
from legion.plan.program import Program, Run
from legion.plan.timeline import Timeline
from legion.report.node_times import Frame, NodeTimes
from legion.search.bound import best_rates, divided, least_work_s

Segments = Mapping[str, Sequence[Segment]]
"""Device to what it runs, of those that run something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """The latency of a frame in parts that add up to it: seconds of the devices that run something, averaged.

    A device weighs what it weighs in the lower bound: its speed, roughly. By the cost model, and so the same in
    both timelines of a plan, are `computing_s`, what all devices would take if computing were divisible at will;
    `left_out_s`, what is added because some are left out; `computed_twice_s`; and `thin_tiles_s`, what else runs take:
    thin tiles, layers that do not run as one, layers on devices that others beat at them. `assembling_s` is the rest of
    the runs as predicted, `beyond_prediction_s` what they really took beyond that. Between runs a device hands messages
    over (`messages_s`), waits for the model's inputs (`feeding_s`), for what others still compute (`imbalance_s`, to
    which its idle time before the last run of all is added), or for what is on its way (`halos_s`). After the last run
    of all come the outputs (`outputs_s`).
    """

    computing_s: float
    left_out_s: float
    computed_twice_s: float
    thin_tiles_s: float
    assembling_s: float
    beyond_prediction_s: float
    messages_s: float
    feeding_s: float
    halos_s: float
    imbalance_s: float
    outputs_s: float

    @property
    def parts(self) -> Mapping[str, float]:
        """All parts by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Account:
    """What the cost model says of a plan's runs, and with that the breakdown of each timeline of the plan."""

    def __init__(
        self,
        model: Model,
        cost: CostModel,
        tables: Tables,
        programs: Mapping[str, Program],
        predicted: Timeline,
    ) -> None:
        """`tables` are those of all devices that a plan could use. Some device must run something."""
        self._inputs = frozenset(port.name for port in model.inputs)
        self._programs = programs
        segments = _segments(programs)
        devices = [tables.devices.index(device) for device in segments]
        least_s = least_work_s(tables)
        best_s, weights = divided(least_s[devices])
        self._weights = dict(zip(segments, weights.tolist(), strict=True))
        self._best_s, self._computing_s = best_s, min(best_s, divided(least_s)[0])
        self._twice_s = self._average(
            dict(zip(segments, _twice_s(model, segments, best_rates(tables)[devices]).tolist(), strict=True))
        )
        self._modelled_s = self._average(
            {device: sum(cost.run_s(device, each) for each in runs) for device, runs in segments.items()}
        )
        self._predicted_s = self._parts(Frame(programs, self._inputs, predicted)).runs_s

    def breakdown(self, timeline: Timeline) -> Breakdown:
        """The parts of a timeline of these programs, predicted or measured."""
        frame = Frame(self._programs, self._inputs, timeline)
        parts = self._parts(frame)
        return Breakdown(
            computing_s=self._computing_s,
            left_out_s=self._best_s - self._computing_s,
            computed_twice_s=self._twice_s,
            thin_tiles_s=self._modelled_s - self._twice_s - self._best_s,
            assembling_s=self._predicted_s - self._modelled_s,
            beyond_prediction_s=parts.runs_s - self._predicted_s,
            messages_s=parts.messages_s,
            feeding_s=parts.feeding_s,
            halos_s=parts.halos_s,
            imbalance_s=parts.imbalance_s,
            outputs_s=timeline.latency_s - frame.last_run_s,
        )

    def _parts(self, frame: Frame) -> NodeTimes:
        """The averages of the devices' times."""
        times = {device: frame.times(device) for device in self._weights}
        names = [field.name for field in fields(NodeTimes)]
        return NodeTimes(
            **{name: self._average({device: getattr(each, name) for device, each in times.items()}) for name in names}
        )

    def _average(self, seconds: Mapping[str, float]) -> float:
        return sum(self._weights[device] * each for device, each in seconds.items())


def _segments(programs: Mapping[str, Program]) -> Segments:
    segments = {
        name: [step.segment for step in program.instructions if isinstance(step, Run)]
        for name, program in programs.items()
    }
    return {name: runs for name, runs in segments.items() if runs}


def _twice_s(model: Model, segments: Segments, rates: Array) -> Array:
    """By device: seconds at the best rates for what is computed more than once; those who overlap share the blame."""
    computed = np.zeros((len(segments), len(model.layers)))
    for device, runs in enumerate(segments.values()):
        for segment in runs:
            for layer in segment.layers:
                tensor = next(name for name in model.layers[layer].outputs if name in segment.boxes)
                whole = Box.whole(model.tensors[tensor].shape).volume
                computed[device, layer] += segment.boxes[tensor].volume / max(1, whole)
    in_vain = computed * (1.0 - 1.0 / np.maximum(1.0, computed.sum(axis=0)))
    return (in_vain * np.maximum(rates, 0.0)).sum(axis=1)
