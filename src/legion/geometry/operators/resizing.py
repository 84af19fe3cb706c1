"""Resize: each tile takes its part of the interpolation of the whole tensor."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from legion.geometry.box import Box, Interval
from legion.geometry.emitter import Emitter
from legion.geometry.operators.interpolation import COORDINATES, Interpolation, Taps, taps_of
from legion.geometry.operators.rule import Demanded, Rule, Whole
from legion.geometry.site import Site
from legion.model.model import AttributeValue

UNEQUAL_AXES = frozenset({"axes", "keep_aspect_ratio_policy"})
"""Attributes that the local form does without: it names every axis."""


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """One axis that is resized; without an interpolation that can be cut, it is demanded whole.

    `by_size`: the model gives the extent wanted, and the scale follows from it.
    """

    extent: int
    resized: int
    scale: np.float32
    by_size: bool
    interpolation: Interpolation | None

    @cached_property
    def taps(self) -> Taps | None:
        return self.interpolation and taps_of(self.interpolation, self.extent, self.resized, self.scale)

    def demand(self, interval: Interval) -> Interval:
        return (0, self.extent) if self.taps is None else self.taps.demand(interval)

    def directly(self, interval: Interval) -> Interval | None:
        """The outputs that Resize itself yields from what is demanded, where these hold `interval` unchanged."""
        if self.taps is None:
            return 0, self.resized
        low, high = self.taps.demand(interval)
        first = float(low * self.scale)
        count = round((high - low) * float(self.scale)) if self.by_size else int(np.float32(high - low) * self.scale)
        start, end = int(first), int(first) + count
        if first != start or interval[0] < start or end < interval[1]:
            return None
        assert self.interpolation is not None  # noqa: S101 - there are taps
        scale = np.float32(count) / np.float32(high - low) if self.by_size else self.scale
        alone = taps_of(self.interpolation, high - low, count, scale)
        inside = (interval[0] - start, interval[1] - start)
        return (start, end) if alone and alone.part(inside, 0).same(self.taps.part(interval, low)) else None


class Resize(Rule):
    """Axes whose tile Resize yields by itself are left to it, the others are interpolated by tables."""

    def __init__(self, site: Site, axes: dict[int, _Axis]) -> None:
        super().__init__(site)
        self._axes = axes
        self._by_size = any(axis.by_size for axis in axes.values())

    def demand(self, box: Box) -> Demanded:
        intervals = list(box.intervals)
        for index, axis in self._axes.items():
            intervals[index] = axis.demand(intervals[index])
        return (Box(tuple(intervals)), *((None,) * (len(self.site.inputs) - 1)))

    def local(self, box: Box, emitter: Emitter) -> None:
        held, source, computed = self.demand(box)[0], emitter.inputs[0], box
        assert held is not None  # noqa: S101 - the first input is always demanded
        scales = np.ones(len(box.intervals), np.float32)
        for index, axis in self._axes.items():
            yielded = axis.directly(box.intervals[index])
            if yielded is None:
                source = self._interpolated(source, index, axis, box.intervals[index], emitter)
            else:
                computed = computed.replace(index, yielded)
                scales[index] = axis.scale
        if np.all(scales == 1) and computed == box:
            emitter.emit("Identity", (source,), output=emitter.output)
            return
        amounts = np.array(computed.shape, np.int64) if self._by_size else scales
        inputs = (
            (source, "", "", emitter.constant(amounts)) if self._by_size else (source, "", emitter.constant(amounts))
        )
        emitter.emit_cropped("Resize", inputs, self._attributes(), computed=computed, wanted=box)

    def _interpolated(self, source: str, index: int, axis: _Axis, interval: Interval, emitter: Emitter) -> str:
        assert axis.taps is not None  # noqa: S101 - an axis without is left to Resize
        taps = axis.taps.part(interval, axis.demand(interval)[0])
        lower = emitter.emit("Gather", (source, emitter.constant(taps.lower)), {"axis": index})
        if np.array_equal(taps.lower, taps.upper):
            return lower
        upper = emitter.emit("Gather", (source, emitter.constant(taps.upper)), {"axis": index})
        shape = [-1] + [1] * (len(self.site.output.shape) - index - 1)
        weight = taps.weight.reshape(shape).astype(self.site.output.dtype)
        return emitter.emit(
            "Add",
            (
                emitter.emit("Mul", (lower, emitter.constant(1 - weight))),
                emitter.emit("Mul", (upper, emitter.constant(weight))),
            ),
        )

    def _attributes(self) -> dict[str, AttributeValue]:
        attributes = self.site.operator.attributes
        return {name: value for name, value in attributes.items() if name not in UNEQUAL_AXES}


def resize_rule(site: Site) -> Rule:
    """Resize by constant scales or sizes; one scale for all axes needs the whole, and so does cropping while resizing,
    or what else is done with coordinates that is not known here.
    """
    rank = len(site.output.shape)
    axes = [axis % rank for axis in site.integers("axes", tuple(range(rank)))]
    scales = _scales(site, axes)
    coordinates = site.text("coordinate_transformation_mode", "half_pixel")
    policy = site.text("keep_aspect_ratio_policy", "stretch")
    if scales is None or coordinates not in COORDINATES or policy != "stretch":
        return Whole(site)
    interpolation = _interpolation(site, coordinates)
    shape, resized = site.shape(0), site.output.shape
    return Resize(
        site,
        {
            axis: _Axis(
                extent=shape[axis],
                resized=resized[axis],
                scale=scale,
                by_size=not _given_scales(site),
                interpolation=interpolation,
            )
            for axis, scale in zip(axes, scales, strict=True)
            if scale != 1
        },
    )


def _given_scales(site: Site) -> bool:
    return site.given(2) and site.shape(2) != (0,)


def _scales(site: Site, axes: list[int]) -> list[np.float32] | None:
    """The scale of each listed axis; None where it is not constant."""
    if not _given_scales(site):
        return [np.float32(site.output.shape[axis]) / np.float32(site.shape(0)[axis]) for axis in axes]
    scales = site.value(2)
    return None if scales is None else [np.float32(scale) for scale in scales.tolist()]


def _interpolation(site: Site, coordinates: str) -> Interpolation | None:
    mode = site.text("mode", "nearest")
    floating = np.dtype(site.output.dtype).kind == "f"
    if mode == "cubic" or site.integer("antialias", 0) or (mode == "linear" and not floating):
        return None
    return Interpolation(mode=mode, coordinates=coordinates, rounding=site.text("nearest_mode", "round_prefer_floor"))
