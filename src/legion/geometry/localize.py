"""A segment made concrete: the operators on local tensors, and how to fill their inputs."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from legion.geometry.borders import FILLS, ROWS, Padding, movable, move_row_padding
from legion.geometry.box import Box
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.geometry.emitter import Emitter, fresh_name
from legion.geometry.local_graph import InputBuffer, LocalConstant, LocalGraph, LocalInput
from legion.geometry.operators.rule import Demanded
from legion.geometry.segment import Segment
from legion.model.model import Model, Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Localized:
    """A local graph, how to fill its inputs, and which box each of its outputs holds, in their order."""

    graph: LocalGraph
    buffers: tuple[InputBuffer, ...]
    outputs: tuple[tuple[str, Box], ...]


def localize(model: Model, segment: Segment, constants: ConstantPool) -> Localized:
    """Write a segment as a local graph.

    A consumer that needs less of a tensor than is there gets it cropped. Where one Conv or MaxPool
    alone reads an input, or what a Cast makes of it, and yields a proper tile of rows, its row padding
    goes into the input's buffer, so that all such tiles of a layer have one graph.
    """
    return _Localizer(model, segment, constants).localized()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """An operator, the box it yields, and what it demands."""

    operator: Operator
    box: Box
    demanded: Demanded


class _Localizer:
    def __init__(self, model: Model, segment: Segment, constants: ConstantPool) -> None:
        self._model = model
        self._segment = segment
        self._pool = constants
        self._demand = Demand(model)
        self._taken = set(model.tensors) | set(model.constants)
        self._held: dict[str, Box] = dict(segment.inputs)
        self._operators: list[Operator] = []
        self._constants: dict[str, LocalConstant] = {}
        self._cut: dict[tuple[str, Box], str] = {}
        self._read: dict[str, None] = {}
        self._fed_by: dict[str, str] = {name: name for name in segment.inputs}
        self._padding: dict[str, tuple[Padding, float]] = {}
        self._tasks = [task for index in segment.layers for task in self._tasks_of(index)]
        self._readers = _readers(self._tasks)

    def localized(self) -> Localized:
        for task in self._tasks:
            self._write(task)
        graph = LocalGraph(
            opset=self._model.opset,
            operators=tuple(self._operators),
            inputs=tuple(self._input(name) for name in self._read),
            outputs=tuple(self._segment.outputs),
            constants=tuple(self._constants.values()),
        )
        return Localized(
            graph=graph,
            buffers=tuple(self._buffer(name) for name in self._read),
            outputs=tuple(self._segment.outputs.items()),
        )

    def _tasks_of(self, layer_index: int) -> Iterable[_Task]:
        layer = self._model.layers[layer_index]
        boxes = {name: self._segment.boxes[name] for name in layer.outputs if name in self._segment.boxes}
        computed = self._demand.within(layer_index, boxes)
        for operator in layer.operators:
            yielded = [name for name in operator.outputs if name in computed]
            if yielded:
                self._held.update((name, computed[name]) for name in yielded)
                demanded = self._demand.rule(operator).demand(computed[yielded[0]])
                yield _Task(operator=operator, box=computed[yielded[0]], demanded=demanded)

    def _write(self, task: _Task) -> None:
        operator, rule = task.operator, self._demand.rule(task.operator)
        names = [
            self._local_name(operator, name, box) if box is not None else ""
            for name, box in zip(operator.inputs, task.demanded, strict=True)
        ]
        emitter = Emitter(operator, names, self._fresh)
        rule.local(task.box, emitter)
        written = emitter.operators
        if self._takes_padded(task, names[0], written[0]):
            written[0], padding = move_row_padding(written[0])
            self._padding[self._fed_by[names[0]]] = (padding, FILLS[operator.op_type])
        elif self._casts_an_input(operator, names[0]):
            self._fed_by[operator.outputs[0]] = names[0]
        self._operators.extend(written)
        for name, array in emitter.constants.items():
            self._constants[name] = self._pool.made(array, name)

    def _takes_padded(self, task: _Task, source: str, first: Operator) -> bool:
        return (
            source in self._fed_by
            and self._readers[source] == 1
            and first.op_type == task.operator.op_type
            and movable(first, self._dtype(self._fed_by[source]), task.box, self._shape(task.operator.outputs[0]))
        )

    def _casts_an_input(self, operator: Operator, source: str) -> bool:
        """Whether padding of what a Cast makes may as well be padding of the segment's input that it alone reads.

        Not where it makes integers, in which there is no infinity.
        """
        return (
            operator.op_type == "Cast"
            and np.dtype(self._dtype(operator.outputs[0])).kind == "f"
            and source in self._segment.inputs
            and self._readers[source] == 1
            and operator.outputs[0] not in self._segment.outputs
        )

    def _local_name(self, operator: Operator, name: str, box: Box) -> str:
        """The local tensor that holds this box of an operator's input."""
        known = self._cut.get((name, box))
        if known is not None:
            return known
        if name in self._model.constants:
            local = self._constant(name, box)
        else:
            if name in self._segment.inputs:
                self._read[name] = None
            local = self._cropped(operator, name, box)
        self._cut[name, box] = local
        return local

    def _constant(self, name: str, box: Box) -> str:
        local = name if name not in self._constants else self._fresh(name)
        self._constants[local] = self._pool.piece(name, box, local)
        return local

    def _cropped(self, operator: Operator, name: str, box: Box) -> str:
        held = self._held[name]
        if box == held:
            return name
        label = self._fresh(f"{name}/crop")
        cutter = Emitter(
            Operator(name=f"{operator.name}/{label}", op_type="Slice", inputs=(name,), outputs=(label,)),
            (name,),
            self._fresh,
        )
        cutter.crop(name, held, box, output=label)
        self._operators.extend(cutter.operators)
        for constant, array in cutter.constants.items():
            self._constants[constant] = self._pool.made(array, constant)
        return label

    def _input(self, name: str) -> LocalInput:
        """Spatial extents may differ from run to run, others are fixed."""
        tensor = self._model.tensors[name]
        if tensor.dynamic:
            return LocalInput(name=name, dtype=tensor.dtype, dims=None)
        shape = self._segment.inputs[name].shape
        spatial = len(shape) > ROWS + 1
        dims = tuple(None if spatial and axis >= ROWS else extent for axis, extent in enumerate(shape))
        return LocalInput(name=name, dtype=tensor.dtype, dims=dims)

    def _buffer(self, name: str) -> InputBuffer:
        padding, fill = self._padding.get(name, ((), 0.0))
        return InputBuffer(
            tensor=name,
            box=self._segment.inputs[name],
            padding=padding,
            fill=fill if padding else 0.0,
            dynamic=self._model.tensors[name].dynamic,
        )

    def _shape(self, name: str) -> tuple[int, ...]:
        return self._model.tensors[name].shape

    def _dtype(self, name: str) -> str:
        return self._model.tensors[name].dtype

    def _fresh(self, name: str) -> str:
        return fresh_name(name, self._taken)


def _readers(tasks: Iterable[_Task]) -> dict[str, int]:
    """How many operator inputs demand each tensor."""
    count: dict[str, int] = {}
    for task in tasks:
        for name, box in zip(task.operator.inputs, task.demanded, strict=True):
            if name and box is not None:
                count[name] = count.get(name, 0) + 1
    return count
