"""Which single layers to measure, at which extents."""

from dataclasses import dataclass

from legion.geometry.local_graph import LocalGraph


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProbe:
    """One layer at one extent: a local graph with synthetic weights, and its inputs' shapes.

    `key` and `extent` as in `LayerSample`; `input_shapes` stand in the order of the graph's inputs.
    """

    key: str
    extent: int
    graph: LocalGraph
    input_shapes: tuple[tuple[int, ...], ...]
