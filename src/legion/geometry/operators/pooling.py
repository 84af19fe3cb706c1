"""Pools over windows, and over all of the spatial axes."""

import numpy as np

from legion.geometry.box import Box, Interval
from legion.geometry.emitter import Emitter
from legion.geometry.operators.rule import Demanded, Rule
from legion.geometry.operators.window import (
    Tile,
    Window,
    pads_of,
    spatial_demand,
    spatial_tiles,
    window_attributes,
    windows_of,
)
from legion.geometry.site import Site


class Pool(Rule):
    """MaxPool and LpPool on (batch, channels, *spatial): padding is the operator's neutral element.

    Engines refuse pads as large as the kernel: such padding is an operator of its own.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._windows = windows_of(site, site.integers("kernel_shape", ()))
        self._kept = {name: site.operator.attributes[name] for name in ("p",) if name in site.operator.attributes}

    def demand(self, box: Box) -> Demanded:
        return (Box((*box.intervals[:2], *spatial_demand(self._windows, box))),)

    def local(self, box: Box, emitter: Emitter) -> None:
        tiles = spatial_tiles(self._windows, box)
        computed = Box((*box.intervals[:2], *(tile.computed for tile in tiles)))
        source, pads = emitter.inputs[0], pads_of(tiles)
        if not fits_kernel(self._windows, tiles):
            source, pads = surrounded(emitter, tiles, self._neutral()), (0,) * len(pads)
        emitter.emit_cropped(
            emitter.operator.op_type,
            (source,),
            {**window_attributes(self._windows, pads), **self._kept},
            computed=computed,
            wanted=box,
        )

    def _neutral(self) -> np.generic:
        """For MaxPool the lowest finite value, which engines start from: what a window of padding alone yields."""
        dtype = np.dtype(self.site.output.dtype)
        if self.site.operator.op_type != "MaxPool":
            return dtype.type(0)
        return dtype.type(np.iinfo(dtype).min if dtype.kind in "iu" else np.finfo(dtype).min)


class AveragePool(Rule):
    """AveragePool: how many elements a window is divided by follows from its place in the whole tensor."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._windows = windows_of(site, site.integers("kernel_shape", ()))
        self._include_pad = bool(site.integer("count_include_pad", 0))

    def demand(self, box: Box) -> Demanded:
        return (Box((*box.intervals[:2], *spatial_demand(self._windows, box))),)

    def local(self, box: Box, emitter: Emitter) -> None:
        tiles = spatial_tiles(self._windows, box)
        computed = Box((*box.intervals[:2], *(tile.computed for tile in tiles)))
        if fits_kernel(self._windows, tiles) and (not self._include_pad or self._within_padding(tiles, computed)):
            emitter.emit_cropped(
                "AveragePool",
                emitter.inputs,
                {**window_attributes(self._windows, pads_of(tiles)), "count_include_pad": int(self._include_pad)},
                computed=computed,
                wanted=box,
            )
        else:
            self._corrected(box, computed, tiles, emitter)

    def _within_padding(self, tiles: tuple[Tile, ...], computed: Box) -> bool:
        """Whether no window reaches beyond the padding, as the last ones do where `ceil_mode` rounds up."""
        return all(
            window.covered(interval)[1] <= window.extent + window.after
            for window, tile, interval in zip(self._windows, tiles, computed.intervals[2:], strict=True)
            if tile.missing[1]
        )

    def _corrected(self, box: Box, computed: Box, tiles: tuple[Tile, ...], emitter: Emitter) -> None:
        """Averages over full windows with zeros around the input, times kernel over true divisor."""
        attributes = window_attributes(self._windows, (0,) * (2 * len(tiles)))
        source = surrounded(emitter, tiles, np.dtype(self.site.output.dtype).type(0))
        averages = emitter.emit("AveragePool", (source,), attributes)
        result = emitter.crop(averages, computed, box)
        rank = len(box.intervals)
        for axis, (window, interval) in enumerate(zip(self._windows, box.intervals[2:], strict=True), start=2):
            factors = self._factors(window, interval).reshape([-1 if other == axis else 1 for other in range(rank)])
            last = axis == rank - 1
            result = emitter.emit("Mul", (result, emitter.constant(factors)), output=emitter.output if last else None)

    def _factors(self, window: Window, interval: Interval) -> np.ndarray:
        low, high = (-window.before, window.extent + window.after) if self._include_pad else (0, window.extent)
        starts = np.arange(*interval) * window.stride - window.before
        taps = starts[:, None] + window.dilation * np.arange(window.kernel)
        divisors = np.count_nonzero((taps >= low) & (taps < high), axis=1)
        return (window.kernel / np.maximum(divisors, 1)).astype(self.site.output.dtype)


class GlobalPool(Rule):
    """GlobalAveragePool and its kin: all of the spatial axes for each channel."""

    def demand(self, box: Box) -> Demanded:
        spatial = tuple((0, extent) for extent in self.site.shape(0)[2:])
        return (Box((*box.intervals[:2], *spatial)),)


def fits_kernel(windows: tuple[Window, ...], tiles: tuple[Tile, ...]) -> bool:
    """Whether all padding is smaller than the kernel, as engines want it."""
    return all(max(tile.missing) < window.kernel for window, tile in zip(windows, tiles, strict=True))


def surrounded(emitter: Emitter, tiles: tuple[Tile, ...], value: np.generic) -> str:
    """The first input with what is missing around it filled with `value`, by an operator of its own."""
    before = [0, 0] + [tile.missing[0] for tile in tiles]
    after = [0, 0] + [tile.missing[1] for tile in tiles]
    pads = emitter.constant(np.array(before + after, np.int64))
    return emitter.emit("Pad", (emitter.inputs[0], pads, emitter.constant(np.array(value))))
