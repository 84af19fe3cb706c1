"""A node's plan with every look-up done beforehand: which slot of a frame holds what, and for how long."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from legion.errors import InputError, InternalError
from legion.geometry.box import Box, hull_of, subtract_all
from legion.geometry.local_graph import InputBuffer
from legion.plan.executable import NodePlan, RunStep
from legion.plan.program import Instruction, Receive, Run, Send

Slices = tuple[slice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A part of what a slot holds, and where it goes; without `source`, all of the slot whatever its shape."""

    slot: int
    source: Slices | None
    target: Slices


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to make one array out of slots: `copies` side by side, `margins` around them filled with `fill`."""

    shape: tuple[int, ...]
    copies: tuple[Copy, ...]
    margins: tuple[Slices, ...] = ()
    fill: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction: the arrays that it reads, the slots that it fills, and those that nobody reads after it."""

    instruction: Instruction
    run: RunStep | None
    reads: tuple[Recipe, ...]
    fills: tuple[int, ...]
    frees: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePlan:
    """A program ready to be followed. `given` and `results` are the caller's tensors, on the controller."""

    steps: tuple[Step, ...]
    slots: int
    given: Mapping[str, int]
    results: Mapping[str, Recipe]


def device_frame_plan(plan: NodePlan) -> FramePlan:
    """The frame plan of a device.

    Raises InternalError when an instruction reads what the node does not hold.
    """
    return _Compiler(plan).compile(())


def controller_frame_plan(plan: NodePlan, outputs: Iterable[str] | None) -> FramePlan:
    """The frame plan of the controller: what it sends before it has received any of it is given by the caller.

    `outputs` are kept to the end of the frame; None means all tensors that are received and not sent.

    Raises InputError when the plan does not bring one of `outputs`.
    """
    received: set[str] = set()
    sent: set[str] = set()
    given: dict[str, Box] = {}
    for each in plan.program.instructions:
        if isinstance(each, Receive):
            received.add(each.tensor)
        elif isinstance(each, Send):
            sent.add(each.tensor)
            if each.tensor in given or each.tensor not in received:
                given[each.tensor] = given.get(each.tensor, each.box).hull(each.box)
    results = tuple(sorted(received - sent)) if outputs is None else tuple(outputs)
    for name in results:
        if name not in received:
            raise InputError(f"the installed plan does not bring {name!r}; it brings {', '.join(sorted(received))}")
    compiler = _Compiler(plan)
    for name, box in given.items():
        compiler.give(name, box)
    return compiler.compile(results)


class _Compiler:
    def __init__(self, plan: NodePlan) -> None:
        self._plan = plan
        self._slots = 0
        self._held: dict[str, list[tuple[Box, int]]] = {}
        self._given: dict[str, int] = {}

    def give(self, name: str, box: Box) -> None:
        """Hold a tensor from the start; its array may be larger than the part that is read."""
        from_origin = Box(tuple((0, high) for _, high in box.intervals))
        self._given[name] = self._hold(name, from_origin)

    def compile(self, results: Sequence[str]) -> FramePlan:
        runs = iter(self._plan.steps)
        drafts = [self._draft(each, runs) for each in self._plan.program.instructions]
        kept = {name: self._recipe(name, hull_of(box for box, _ in self._held[name])) for name in results}
        read_last = _last_readers(drafts)
        for recipe in kept.values():
            for copy in recipe.copies:
                read_last.pop(copy.slot, None)
        frees: dict[int, list[int]] = {}
        for slot, index in read_last.items():
            frees.setdefault(index, []).append(slot)
        steps = tuple(
            Step(
                instruction=draft.instruction,
                run=draft.run,
                reads=draft.reads,
                fills=draft.fills,
                frees=tuple(frees.get(index, ())),
            )
            for index, draft in enumerate(drafts)
        )
        return FramePlan(steps=steps, slots=self._slots, given=self._given, results=kept)

    def _draft(self, instruction: Instruction, runs: Iterator[RunStep]) -> Step:
        run = None
        reads: tuple[Recipe, ...] = ()
        fills: tuple[int, ...] = ()
        match instruction:
            case Receive(tensor=tensor, box=box):
                fills = (self._hold(tensor, box),)
            case Send(tensor=tensor, box=box):
                reads = (self._recipe(tensor, box),)
            case Run():
                run = next(runs)
                reads = tuple(self._buffer_recipe(buffer) for buffer in run.buffers)
                fills = tuple(self._hold(tensor, box) for tensor, box in run.outputs)
        return Step(instruction=instruction, run=run, reads=reads, fills=fills, frees=())

    def _hold(self, tensor: str, box: Box) -> int:
        slot = self._slots
        self._slots += 1
        self._held.setdefault(tensor, []).append((box, slot))
        return slot

    def _buffer_recipe(self, buffer: InputBuffer) -> Recipe:
        recipe = self._recipe(buffer.tensor, buffer.box)
        if not any(before or after for before, after in buffer.padding):
            return recipe
        whole = Box.whole(buffer.shape)
        befores = [before for before, _ in buffer.padding]
        inner = Box(tuple((b, b + n) for b, n in zip(befores, buffer.box.shape, strict=True)))
        copies = tuple(
            Copy(
                slot=copy.slot,
                source=copy.source or tuple(slice(0, extent) for extent in buffer.box.shape),
                target=tuple(slice(t.start + b, t.stop + b) for t, b in zip(copy.target, befores, strict=True)),
            )
            for copy in recipe.copies
        )
        margins = tuple(box.relative_to(whole) for box in whole.subtract(inner))
        return Recipe(shape=buffer.shape, copies=copies, margins=margins, fill=buffer.fill)

    def _recipe(self, tensor: str, box: Box) -> Recipe:
        """The fewest pieces that come to mind: one that has all of the box, else each as far as it is new."""
        held = self._held.get(tensor, [])
        target = Box.whole(box.shape)
        for piece, slot in held:
            if piece == box and tensor not in self._given:
                return Recipe(
                    shape=box.shape, copies=(Copy(slot=slot, source=None, target=target.relative_to(target)),)
                )
        for piece, slot in held:
            if piece.contains(box):
                return Recipe(shape=box.shape, copies=(_copy(slot, piece, box, box),))
        copies: list[Copy] = []
        missing: tuple[Box, ...] = (box,)
        for piece, slot in held:
            common = [part for part in (each.intersection(piece) for each in missing) if part is not None]
            copies += (_copy(slot, piece, part, box) for part in common)
            missing = tuple(rest for each in missing for rest in subtract_all(each, common))
        if missing:
            name = self._plan.program.node
            raise InternalError(f"node {name} does not hold {tensor} {missing[0].intervals}, which its program reads")
        return Recipe(shape=box.shape, copies=tuple(copies))


def _copy(slot: int, piece: Box, part: Box, whole: Box) -> Copy:
    return Copy(slot=slot, source=part.relative_to(piece), target=part.relative_to(whole))


def _last_readers(drafts: Sequence[Step]) -> dict[int, int]:
    """For each slot, the last instruction that reads it, or the one that fills it if none does."""
    last: dict[int, int] = {}
    for index, draft in enumerate(drafts):
        last.update(dict.fromkeys(draft.fills, index))
        for recipe in draft.reads:
            last.update({copy.slot: index for copy in recipe.copies})
    return last
