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

_Place = tuple[int, int]
"""A step in a node's program: the group, and which of the node's runs of it."""

_INPUTS = -1
"""The group in which the controller comes to hold the model's inputs, before any other."""


def lower(model: Model, demand: Demand, scheme: Scheme) -> dict[str, Program]:
    """Each node's program, by name, the controller's among them.

    Every element that a run demands comes from the node itself if it holds it, else from its owner;
    of a tensor that goes by way of another node, the owners hand all of it there, and readers get
    all that they demand from there. What is computed is sent before the node's next run, first to the
    reader whose step comes first. Only the model's own tensors travel, so that no order can deadlock.
    """
    return _Lowering(model, demand, scheme).programs()


@dataclass(slots=True)
class _Step:
    """What a node does around one run: wait, run, then hand on (each with the step that needs it)."""

    receives: list[Receive] = field(default_factory=list[Receive])
    runs: list[Run] = field(default_factory=list[Run])
    sends: list[tuple[_Place, Send]] = field(default_factory=list[tuple[_Place, Send]])

    def instructions(self) -> Iterator[Instruction]:
        yield from self.receives
        yield from self.runs
        yield from (send for _, send in sorted(self.sends, key=lambda entry: entry[0]))


class _Lowering:
    def __init__(self, model: Model, demand: Demand, scheme: Scheme) -> None:
        self._model = model
        self._demand = demand
        self._scheme = scheme
        self._steps: dict[str, dict[_Place, _Step]] = {node: {} for node in (*scheme.devices, CONTROLLER)}
        self._computed: dict[tuple[str, str], dict[Box, int]] = {}
        self._received: dict[tuple[str, str], list[Box]] = {}
        self._made_in = {port.name: _INPUTS for port in model.inputs}
        self._owners: dict[str, Mapping[str, tuple[Box, ...]]] = dict(scheme.owners)
        for port in model.inputs:
            whole = Box.whole(port.type.shape)
            self._owners[port.name] = {CONTROLLER: (whole,)}
            self._computed[CONTROLLER, port.name] = {whole: 0}

    def programs(self) -> dict[str, Program]:
        for index, group in enumerate(self._scheme.groups):
            for node, runs in group.runs.items():
                for place, outputs in enumerate(runs):
                    self._run(node, (index, place), group.layers, outputs)
            for layer in group.layers:
                self._made_in.update(dict.fromkeys(self._model.layers[layer].outputs, index))
        for port in self._model.outputs:
            if port.name in self._made_in:
                self._fetch(CONTROLLER, port.name, Box.whole(port.type.shape), (len(self._scheme.groups), 0))
        return {
            node: Program(
                node=node,
                instructions=tuple(
                    instruction for place in sorted(steps) for instruction in steps[place].instructions()
                ),
            )
            for node, steps in self._steps.items()
        }

    def _run(self, node: str, place: _Place, layers: tuple[int, ...], outputs: Mapping[str, Box]) -> None:
        segment = build_segment(self._demand, layers, outputs)
        for tensor, box in segment.inputs.items():
            self._fetch(node, tensor, box, place)
        first, last = (self._model.layers[segment.layers[end]].name for end in (0, -1))
        label = first if first == last else f"{first}..{last}"
        self._step(node, place).runs.append(Run(segment=segment, group=place[0], label=label))
        for tensor, box in segment.outputs.items():
            self._computed.setdefault((node, tensor), {}).setdefault(box, place[1])

    def _fetch(self, node: str, tensor: str, box: Box, place: _Place) -> None:
        """Add the transfers that bring `box` to `node` before it runs that step."""
        if tensor not in self._owners or tensor not in self._made_in:
            raise InternalError(f"tensor {tensor!r} is needed in group {place[0]}, but no earlier group owns it")
        via = self._scheme.via.get(tensor)
        if via is not None and via != node:
            self._fetch(via, tensor, Box.whole(self._model.tensors[tensor].shape), (self._made_in[tensor], 0))
            held = self._received.get((node, tensor), [])
            sources: Mapping[str, tuple[Box, ...]] = {via: (box,)}
        else:
            held = [*self._computed.get((node, tensor), ()), *self._received.get((node, tensor), ())]
            sources = self._owners[tensor]
        for missing in subtract_all(box, held):
            for source, boxes in sources.items():
                for owned in boxes:
                    piece = missing.intersection(owned)
                    if piece is not None:
                        self._transfer(tensor, piece, source, node, place)

    def _transfer(self, tensor: str, box: Box, source: str, destination: str, place: _Place) -> None:
        sent_in = (self._made_in[tensor], self._made_by(source, tensor, box))
        send = Send(tensor=tensor, box=box, destination=destination)
        self._step(source, sent_in).sends.append((place, send))
        self._step(destination, place).receives.append(Receive(tensor=tensor, box=box, source=source))
        self._received.setdefault((destination, tensor), []).append(box)

    def _made_by(self, node: str, tensor: str, box: Box) -> int:
        """The run of its group after which the node has all of a box: the first that yields it, else the last."""
        runs = self._computed.get((node, tensor), {})
        return min((run for made, run in runs.items() if made.contains(box)), default=max(runs.values(), default=0))

    def _step(self, node: str, place: _Place) -> _Step:
        return self._steps[node].setdefault(place, _Step())
