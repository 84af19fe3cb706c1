"""A plain interpreter of executable plans in one thread: an oracle for programs that knows no runtime."""

from collections.abc import Mapping

import numpy as np

from legion.engine.base import Engine
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.geometry.box import Box
from legion.model.model import Array, Model
from legion.plan.executable import ExecutablePlan, NodePlan
from legion.plan.program import Receive, Run, Send
from legion.plan.scheme import CONTROLLER

Pieces = dict[str, list[tuple[Box, Array]]]


class Interpreter:
    """Runs one plan, frame by frame; what no instruction brought is NaN and shows in the outputs."""

    def __init__(self, model: Model, plan: ExecutablePlan, engine: Engine | None = None) -> None:
        self._model = model
        self._plan = plan
        self._engine = engine or OnnxRuntimeEngine()
        self._graphs = {name: node.graphs_as_run() for name, node in plan.nodes.items()}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The model's outputs."""
        nodes = {name: _Node(self, plan) for name, plan in self._plan.nodes.items()}
        nodes[CONTROLLER].held = {name: [(Box.whole(feed.shape), feed)] for name, feed in feeds.items()}
        under_way: dict[tuple[str, str, str, Box], Array] = {}
        progress = [True]
        while any(progress):
            progress = [node.advance(under_way) for node in nodes.values()]
        outputs = [port.name for port in self._model.outputs if port.name in self._model.tensors]
        return {name: nodes[CONTROLLER].take(name, Box.whole(self._model.tensors[name].shape)) for name in outputs}

    def execute(self, node: NodePlan, step: int, inputs: list[Array]) -> list[Array]:
        graph = self._graphs[node.program.node][node.steps[step].graph]
        return self._engine.prepare(graph, lambda constant: self._plan.constants[constant.digest or ""]).run(inputs)

    def empty(self, tensor: str, box: Box) -> Array:
        kind = np.dtype(self._model.tensors[tensor].dtype)
        return np.full(box.shape, np.nan if kind.kind == "f" else 0, kind)


class _Node:
    def __init__(self, interpreter: Interpreter, plan: NodePlan) -> None:
        self._interpreter = interpreter
        self._plan = plan
        self._next = self._runs = 0
        self.held: Pieces = {}

    def advance(self, under_way: dict[tuple[str, str, str, Box], Array]) -> bool:
        """Execute what can be executed; say whether there was anything."""
        start = self._next
        name = self._plan.program.node
        for instruction in self._plan.program.instructions[start:]:
            match instruction:
                case Receive(tensor=tensor, box=box, source=source):
                    if (source, name, tensor, box) not in under_way:
                        break
                    self.held.setdefault(tensor, []).append((box, under_way.pop((source, name, tensor, box))))
                case Send(tensor=tensor, box=box, destination=destination):
                    under_way[name, destination, tensor, box] = self.take(tensor, box)
                case Run():
                    self._run()
            self._next += 1
        return self._next > start

    def take(self, tensor: str, box: Box) -> Array:
        if self._interpreter._model.tensors[tensor].dynamic:
            return self.held[tensor][0][1]
        array = self._interpreter.empty(tensor, box)
        for held, piece in self.held[tensor]:
            common = held.intersection(box)
            if common is not None:
                array[common.relative_to(box)] = piece[common.relative_to(held)]
        return array

    def _run(self) -> None:
        step = self._plan.steps[self._runs]
        inputs = [self.take(buffer.tensor, buffer.box) for buffer in step.buffers]
        padded = [
            np.pad(array, buffer.padding, constant_values=buffer.fill) if buffer.padding else array
            for array, buffer in zip(inputs, step.buffers, strict=True)
        ]
        outputs = self._interpreter.execute(self._plan, self._runs, padded)
        for (tensor, box), output in zip(step.outputs, outputs, strict=True):
            self.held.setdefault(tensor, []).append((box, output))
        self._runs += 1
