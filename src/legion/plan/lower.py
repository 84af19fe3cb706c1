"""From a scheme to programs: who receives, runs and sends what, in which order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from legion.errors import InternalError
from legion.geometry.box import Box, subtract_all
from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.program import Instruction, Program, Receive, Run, Send
from legion.plan.scheme import CONTROLLER, Scheme

_INPUTS = -1
"""The step in which the controller comes to hold the model's inputs, before any group."""


def lower(model: Model, demand: Demand, scheme: Scheme) -> dict[str, Program]:
    """Each node's program, by name, the controller's among them.

    Every element that a run demands comes from the node itself if it holds it, else from its owner;
    of a tensor that goes by way of another node, the owners hand all of it there, and readers get
    all that they demand from there. A tensor is sent as soon as it is computed, first to the reader
    that needs it first. Only the model's own tensors travel, so that no order can deadlock.
    """
    return _Lowering(model, demand, scheme).programs()


@dataclass(slots=True)
class _Step:
    """What a node does for one group: wait, run, then hand on (each with the step that needs it)."""

    receives: list[Receive] = field(default_factory=list[Receive])
    runs: list[Run] = field(default_factory=list[Run])
    sends: list[tuple[int, Send]] = field(default_factory=list[tuple[int, Send]])

    def instructions(self) -> Iterator[Instruction]:
        yield from self.receives
        yield from self.runs
        yield from (send for _, send in sorted(self.sends, key=lambda entry: entry[0]))


class _Lowering:
    def __init__(self, model: Model, demand: Demand, scheme: Scheme) -> None:
        self._model = model
        self._demand = demand
        self._scheme = scheme
        self._steps: dict[str, dict[int, _Step]] = {node: {} for node in (*scheme.devices, CONTROLLER)}
        self._computed: dict[tuple[str, str], list[Box]] = {}
        self._received: dict[tuple[str, str], list[Box]] = {}
        self._made_in = {port.name: _INPUTS for port in model.inputs}
        self._owners: dict[str, Mapping[str, tuple[Box, ...]]] = dict(scheme.owners)
        for port in model.inputs:
            whole = (Box.whole(port.type.shape),)
            self._owners[port.name] = {CONTROLLER: whole}
            self._computed[CONTROLLER, port.name] = list(whole)

    def programs(self) -> dict[str, Program]:
        for index, group in enumerate(self._scheme.groups):
            for node, runs in group.runs.items():
                for outputs in runs:
                    self._run(node, index, group.layers, outputs)
            for layer in group.layers:
                self._made_in.update(dict.fromkeys(self._model.layers[layer].outputs, index))
        for port in self._model.outputs:
            if port.name in self._made_in:
                self._fetch(CONTROLLER, port.name, Box.whole(port.type.shape), len(self._scheme.groups))
        return {
            node: Program(
                node=node,
                instructions=tuple(
                    instruction for index in sorted(steps) for instruction in steps[index].instructions()
                ),
            )
            for node, steps in self._steps.items()
        }

    def _run(self, node: str, index: int, layers: tuple[int, ...], outputs: Mapping[str, Box]) -> None:
        segment = build_segment(self._demand, layers, outputs)
        for tensor, box in segment.inputs.items():
            self._fetch(node, tensor, box, index)
        first, last = (self._model.layers[segment.layers[end]].name for end in (0, -1))
        label = first if first == last else f"{first}..{last}"
        self._step(node, index).runs.append(Run(segment=segment, group=index, label=label))
        for tensor, box in segment.outputs.items():
            self._computed.setdefault((node, tensor), []).append(box)

    def _fetch(self, node: str, tensor: str, box: Box, step: int) -> None:
        """Add the transfers that bring `box` to `node` before it runs `step`."""
        if tensor not in self._owners or tensor not in self._made_in:
            raise InternalError(f"tensor {tensor!r} is needed in step {step}, but no earlier group owns it")
        via = self._scheme.via.get(tensor)
        if via is not None and via != node:
            self._fetch(via, tensor, Box.whole(self._model.tensors[tensor].shape), self._made_in[tensor])
            held = self._received.get((node, tensor), [])
            sources: Mapping[str, tuple[Box, ...]] = {via: (box,)}
        else:
            held = self._computed.get((node, tensor), []) + self._received.get((node, tensor), [])
            sources = self._owners[tensor]
        for missing in subtract_all(box, held):
            for source, boxes in sources.items():
                for owned in boxes:
                    piece = missing.intersection(owned)
                    if piece is not None:
                        self._transfer(tensor, piece, source, node, step)

    def _transfer(self, tensor: str, box: Box, source: str, destination: str, step: int) -> None:
        sent_in = self._made_in[tensor]
        send = Send(tensor=tensor, box=box, destination=destination)
        self._step(source, sent_in).sends.append((step, send))
        self._step(destination, step).receives.append(Receive(tensor=tensor, box=box, source=source))
        self._received.setdefault((destination, tensor), []).append(box)

    def _step(self, node: str, index: int) -> _Step:
        return self._steps[node].setdefault(index, _Step())
