"""What every rule is: two small functions, bound to the operator that they are about."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from legion.geometry.box import Box
from legion.geometry.emitter import Emitter
from legion.geometry.site import Site

Demanded = tuple[Box | None, ...]
"""One box per operator input; None for one that is omitted, or that the local form does without."""


class Rule(ABC):
    """How one operator is computed in part. Attributes are read once, when the rule is bound."""

    def __init__(self, site: Site) -> None:
        self.site = site

    @abstractmethod
    def demand(self, box: Box) -> Demanded:
        """The smallest boxes that contain what the output box needs: clamped to the tensor, never empty."""

    def computed(self, box: Box) -> Box:
        """The box to compute where `box` is wanted: larger for an operator that yields all or nothing."""
        return box

    def local(self, box: Box, emitter: Emitter) -> None:
        """Write the operator on exactly the demanded boxes, yielding exactly `box`, one that `computed` gives."""
        del box
        emitter.verbatim()

    def whole_inputs(self, start: int = 0) -> Demanded:
        """The whole of each input from `start` on."""
        return tuple(None if tensor is None else Box.whole(tensor.shape) for tensor in self.site.inputs[start:])


class Whole(Rule):
    """Demands all inputs whole and yields all: right for any operator, only not split."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._demanded = self.whole_inputs()
        self._yielded = Box.whole(site.output.shape)

    def computed(self, box: Box) -> Box:
        del box
        return self._yielded

    def demand(self, box: Box) -> Demanded:
        del box
        return self._demanded


class WholeAxes(Rule):
    """Demands and yields some axes whole, and splits along the others.

    Input and output have the same rank; on the other axes each element needs its own index alone.
    """

    def __init__(self, site: Site, axes: Sequence[int]) -> None:
        super().__init__(site)
        rank = len(site.output.shape)
        self.axes = frozenset(axis % rank for axis in axes)

    def computed(self, box: Box) -> Box:
        return with_whole_axes(box, self.site.output.shape, self.axes)

    def parameters(self, computed: Box) -> Demanded:
        """What is demanded of the inputs after the first."""
        del computed
        return self.whole_inputs(1)

    def demand(self, box: Box) -> Demanded:
        computed = self.computed(box)
        return (with_whole_axes(computed, self.site.shape(0), self.axes), *self.parameters(computed))


def with_whole_axes(box: Box, shape: Sequence[int], axes: frozenset[int]) -> Box:
    """The same box, but whole on `axes` of a tensor of this shape."""
    return Box(tuple((0, shape[axis]) if axis in axes else interval for axis, interval in enumerate(box.intervals)))


def broadcast_demand(box: Box, shape: Sequence[int]) -> Box:
    """What an output box needs of an input of `shape` that was broadcast to the output, NumPy's way."""
    offset = len(box.intervals) - len(shape)
    return Box(tuple((0, 1) if extent == 1 else box.intervals[offset + axis] for axis, extent in enumerate(shape)))
