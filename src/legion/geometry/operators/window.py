"""Sliding windows along one axis: which inputs a run of windows covers, and what lies outside."""

from collections.abc import Sequence
from dataclasses import dataclass

from legion.geometry.box import Box, Interval
from legion.geometry.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A run of windows on the inputs that exist.

    `missing` is the padding before and after the demanded inputs; `computed` are the windows that
    fit then, which hold those asked for (and more, where these lie wholly in the padding).
    """

    missing: Interval
    computed: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Windows along one axis of `extent` inputs, `before` and `after` of them padded."""

    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    extent: int

    @property
    def reach(self) -> int:
        """From a window's first input to beyond its last one."""
        return self.dilation * (self.kernel - 1) + 1

    def covered(self, interval: Interval) -> Interval:
        """The inputs under these windows, those in the padding too."""
        low, high = interval
        return low * self.stride - self.before, (high - 1) * self.stride - self.before + self.reach

    def demand(self, interval: Interval) -> Interval:
        """The inputs under these windows that exist, or the nearest one where there is none."""
        low, high = self.covered(interval)
        return min(max(low, 0), self.extent - 1), max(min(high, self.extent), 1)

    def tile(self, interval: Interval) -> Tile:
        """How to run these windows on what `demand` gives.

        Windows wholly in the padding are run together with enough others, sooner or later ones, to
        cover the one element that is demanded.
        """
        low, high = self.demand(interval)
        covered_low, covered_high = self.covered(interval)
        sooner = max(0, -(-(covered_low - low) // self.stride))
        start = covered_low - sooner * self.stride
        end = max(covered_high, high)
        count = (end - start - self.reach) // self.stride + 1
        first = interval[0] - sooner
        return Tile(missing=(low - start, end - high), computed=(first, first + count))


def windows_of(site: Site, kernel: Sequence[int]) -> tuple[Window, ...]:
    """The windows of a convolution or pool along each spatial axis, `auto_pad` resolved."""
    rank = len(kernel)
    strides = site.integers("strides", (1,) * rank)
    dilations = site.integers("dilations", (1,) * rank)
    pads = site.integers("pads", (0,) * (2 * rank))
    auto_pad = site.text("auto_pad", "NOTSET")
    windows: list[Window] = []
    for axis, extent in enumerate(site.shape(0)[2:]):
        before, after = pads[axis], pads[axis + rank]
        if auto_pad == "VALID":
            before, after = 0, 0
        elif auto_pad in {"SAME_UPPER", "SAME_LOWER"}:
            before, after = _same_padding(site, extent, strides[axis], kernel[axis], dilations[axis])
        windows.append(
            Window(
                kernel=kernel[axis],
                stride=strides[axis],
                dilation=dilations[axis],
                before=before,
                after=after,
                extent=extent,
            )
        )
    return tuple(windows)


def _same_padding(site: Site, extent: int, stride: int, kernel: int, dilation: int) -> Interval:
    """What SAME_UPPER and SAME_LOWER pad.

    As ONNX Runtime has it: for pools dilation does not count, and what would be negative padding is cut.
    """
    last = (-(-extent // stride) - 1) * stride
    if site.operator.op_type == "Conv":
        total = max(0, last + dilation * (kernel - 1) + 1 - extent)
    else:
        total = last + kernel - extent
    before = int((total if site.text("auto_pad", "") == "SAME_UPPER" else total + 1) / 2)
    return before, total - before


def spatial_demand(windows: Sequence[Window], box: Box) -> tuple[Interval, ...]:
    """What the windows of an output box demand on the spatial axes."""
    return tuple(window.demand(interval) for window, interval in zip(windows, box.intervals[2:], strict=True))


def spatial_tiles(windows: Sequence[Window], box: Box) -> tuple[Tile, ...]:
    """How to run the windows of an output box, per spatial axis."""
    return tuple(window.tile(interval) for window, interval in zip(windows, box.intervals[2:], strict=True))


def pads_of(tiles: Sequence[Tile]) -> tuple[int, ...]:
    """The `pads` attribute: what is missing before on each axis, then after."""
    return tuple(tile.missing[0] for tile in tiles) + tuple(tile.missing[1] for tile in tiles)


def window_attributes(windows: tuple[Window, ...], pads: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The attributes that window operators share; `dilations` only where there are any, as not all opsets know them."""
    dilations = tuple(window.dilation for window in windows)
    return {
        "kernel_shape": tuple(window.kernel for window in windows),
        "strides": tuple(window.stride for window in windows),
        "pads": pads,
        **({"dilations": dilations} if any(dilation > 1 for dilation in dilations) else {}),
    }
