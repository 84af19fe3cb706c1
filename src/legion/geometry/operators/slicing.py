"""Slice, Pad and Expand: the box moved, stretched, or cut off at the tensor's border."""

import numpy as np

from legion.geometry.box import Box, Interval
from legion.geometry.emitter import END, Emitter
from legion.geometry.operators.rule import Demanded, Rule, Whole, WholeAxes, broadcast_demand
from legion.geometry.operators.window import Window
from legion.geometry.site import Site


class Slice(Rule):
    """Every step-th element from a start on each axis; negative steps run backwards."""

    def __init__(self, site: Site, starts: tuple[int, ...], steps: tuple[int, ...]) -> None:
        super().__init__(site)
        self._starts, self._steps = starts, steps

    def demand(self, box: Box) -> Demanded:
        intervals = tuple(
            _stepped(start, step, interval)
            for start, step, interval in zip(self._starts, self._steps, box.intervals, strict=True)
        )
        return (Box(intervals), *((None,) * (len(self.site.inputs) - 1)))

    def local(self, box: Box, emitter: Emitter) -> None:
        del box
        axes = [axis for axis, step in enumerate(self._steps) if step != 1]
        if not axes:
            emitter.emit("Identity", emitter.inputs[:1], output=emitter.output)
            return
        steps = [self._steps[axis] for axis in axes]
        starts = [0 if step > 0 else -1 for step in steps]
        ends = [END if step > 0 else -END for step in steps]
        settings = (emitter.constant(np.array(values, np.int64)) for values in (starts, ends, axes, steps))
        emitter.emit("Slice", (emitter.inputs[0], *settings), output=emitter.output)


def _stepped(start: int, step: int, interval: Interval) -> Interval:
    first, last = start + interval[0] * step, start + (interval[1] - 1) * step
    return min(first, last), max(first, last) + 1


def slice_rule(site: Site) -> Rule:
    """Slice where starts, axes and steps are constant."""
    shape = site.shape(0)
    starts = site.value(1)
    axes = site.value(3) if site.given(3) else np.arange(len(shape))
    steps = site.value(4) if site.given(4) else np.ones(len(shape), np.int64)
    if starts is None or axes is None or steps is None:
        return Whole(site)
    first, stride = [0] * len(shape), [1] * len(shape)
    for start, axis, step in zip(starts.tolist(), axes.tolist(), steps.tolist(), strict=False):
        extent = shape[axis]
        position = start + extent if start < 0 else start
        first[axis] = min(max(position, 0), extent if step > 0 else extent - 1)
        stride[axis] = step
    return Slice(site, tuple(first), tuple(stride))


class Pad(Rule):
    """Padding with a constant: windows of one element, on an axis that is padded (or cut, where negative)."""

    def __init__(self, site: Site, pads: tuple[tuple[int, int], ...]) -> None:
        super().__init__(site)
        self._windows = tuple(
            Window(kernel=1, stride=1, dilation=1, before=before, after=after, extent=extent)
            for (before, after), extent in zip(pads, site.shape(0), strict=True)
        )

    def demand(self, box: Box) -> Demanded:
        demanded = Box(
            tuple(window.demand(interval) for window, interval in zip(self._windows, box.intervals, strict=True))
        )
        value = Box.whole(self.site.shape(2)) if self.site.given(2) else None
        return (demanded, None, value, None)[: len(self.site.inputs)]

    def local(self, box: Box, emitter: Emitter) -> None:
        tiles = [window.tile(interval) for window, interval in zip(self._windows, box.intervals, strict=True)]
        computed = Box(tuple(tile.computed for tile in tiles))
        if not any(any(tile.missing) for tile in tiles):
            emitter.crop(emitter.inputs[0], computed, box, output=emitter.output)
            return
        missing = [tile.missing[0] for tile in tiles] + [tile.missing[1] for tile in tiles]
        inputs = [emitter.inputs[0], emitter.constant(np.array(missing, np.int64)), *emitter.inputs[2:3]]
        emitter.emit_cropped("Pad", inputs, {}, computed=computed, wanted=box)


def pad_rule(site: Site) -> Rule:
    """Pad where the amounts are constant; reflected and repeated borders need the padded axes whole."""
    rank = len(site.output.shape)
    amounts = site.value(1)
    axes = site.value(3) if site.given(3) else np.arange(rank)
    if amounts is None or axes is None:
        return Whole(site)
    pads = [(0, 0)] * rank
    listed = amounts.tolist()
    for position, axis in enumerate(axes.tolist()):
        pads[axis] = (listed[position], listed[position + len(axes)])
    if site.text("mode", "constant") != "constant":
        return WholeAxes(site, [axis for axis, amount in enumerate(pads) if any(amount)])
    return Pad(site, tuple(pads))


class Expand(Rule):
    """An input broadcast to a larger shape."""

    def demand(self, box: Box) -> Demanded:
        return broadcast_demand(box, self.site.shape(0)), None

    def local(self, box: Box, emitter: Emitter) -> None:
        shape = emitter.constant(np.array(box.shape, np.int64))
        emitter.emit("Expand", (emitter.inputs[0], shape), output=emitter.output)
