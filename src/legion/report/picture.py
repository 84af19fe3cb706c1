"""One picture of a plan and of a run: the T matrix as a heat map, and the timeline per device."""

# pyright: basic
# The strict rules count matplotlib's own annotations, which are partial, as unknown at every call.

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from legion.cost.matrices import Matrices
from legion.errors import InputError
from legion.plan.scheme import Scheme
from legion.plan.timeline import Event, Timeline

_COLOURS = {"run": ("#2a6f97", "#61a5c2"), "send": ("#e07a5f",) * 2, "receive": ("#e9e5dc",) * 2}
_LANES = {"receive": (0.0, 0.8), "run": (0.0, 0.8), "send": (0.62, 0.18)}
"""Where a kind is drawn within a node's row: its offset and height. Sends go on beside runs."""


def draw_plan(
    title: str, layer_names: Sequence[str], matrices: Matrices, scheme: Scheme, timelines: Sequence[Timeline]
) -> Figure:
    """T on the left with the chosen groups framed; on the right one timeline below the other, on one scale."""
    figure = Figure(figsize=(15, 6.5), layout="constrained")
    figure.suptitle(title)
    grid = figure.add_gridspec(len(timelines), 2, width_ratios=(1, 1.35))
    _draw_costs(figure, figure.add_subplot(grid[:, 0]), layer_names, matrices, scheme)
    axes = [figure.add_subplot(grid[row, 1]) for row in range(len(timelines))]
    span_ms = 1e3 * max(event.end_s for timeline in timelines for event in timeline.events)
    for axis, timeline in zip(axes, timelines, strict=True):
        _draw_timeline(axis, timeline)
        axis.set_xlim(0, span_ms * 1.02)
    axes[-1].set_xlabel("milliseconds since the frame began")
    handles = [Patch(color=_COLOURS[kind][0], label=kind) for kind in ("run", "send")]
    handles.append(Patch(color=_COLOURS["receive"][0], label="wait"))
    axes[0].legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    return figure


def save_picture(figure: Figure, path: Path) -> None:
    """Write the figure as PNG. Raises InputError where that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except OSError as exc:
        raise InputError(f"the picture cannot be written to {path}: {exc.strerror}") from exc


def _draw_costs(figure: Figure, axis: Axes, layer_names: Sequence[str], matrices: Matrices, scheme: Scheme) -> None:
    costs_ms = np.where(matrices.T < 0, np.nan, matrices.T * 1e3)
    image = axis.imshow(costs_ms, cmap="viridis_r", interpolation="nearest")
    figure.colorbar(image, ax=axis, label="predicted milliseconds of the group", shrink=0.7)
    axis.set_title("T[i, j]: the group of layers i to j (chosen: framed)", fontsize=10)
    axis.set_ylabel("first layer i")
    axis.set_xlabel("last layer j")
    ticks = range(0, len(layer_names), max(1, len(layer_names) // 24))
    axis.set_yticks(list(ticks), [f"{layer_names[index]} {index}" for index in ticks], fontsize=7)
    axis.set_xticks(list(ticks), [str(index) for index in ticks], fontsize=7)
    for group in scheme.groups:
        corner = (group.layers[-1] - 0.5, group.layers[0] - 0.5)
        axis.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="#d00000", linewidth=1.8))


def _draw_timeline(axis: Axes, timeline: Timeline) -> None:
    nodes = tuple(dict.fromkeys(event.node for event in timeline.events))
    for row, node in enumerate(nodes):
        for event in timeline.events:
            if event.node == node:
                _draw_event(axis, row, event)
    axis.axvline(timeline.latency_s * 1e3, color="#333333", linewidth=0.8, linestyle=":")
    axis.set_title(f"{timeline.source}: {timeline.latency_s * 1e3:.1f} ms", fontsize=10, loc="left")
    axis.set_yticks([row + 0.4 for row in range(len(nodes))], nodes)
    axis.set_ylim(len(nodes), -0.2)
    axis.spines[["top", "right", "left"]].set_visible(False)


def _draw_event(axis: Axes, row: int, event: Event) -> None:
    offset, height = _LANES[event.kind]
    colour = _COLOURS[event.kind][(event.group or 0) % 2]
    start_ms, length_ms = event.start_s * 1e3, (event.end_s - event.start_s) * 1e3
    axis.broken_barh([(start_ms, length_ms)], (row + offset, height), facecolors=colour, zorder=event.kind != "receive")
