"""A segment made concrete: operators with local attributes, named constants, input buffers."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from legion.geometry.box import Box
from legion.model.model import Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConstant:
    """A constant, or a slice of one, named by the digest of its bytes (C order, little-endian).

    Without a digest it is synthetic: whoever runs the graph makes seeded values of a sane range.
    Profiling uses this, so that no weights need to travel.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalInput:
    """An input of a local graph; None marks an extent that may differ from run to run.

    `dims` is None where even the rank depends on data.
    """

    name: str
    dtype: str
    dims: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalGraph:
    """Operators on local tensors. Equal graphs share one engine session, whatever their extents."""

    opset: int
    operators: tuple[Operator, ...]
    inputs: tuple[LocalInput, ...]
    outputs: tuple[str, ...]
    constants: tuple[LocalConstant, ...]

    def made_for(self, runs: Iterable[tuple[tuple[int, ...], ...] | None]) -> "LocalGraph":
        """The graph for these runs, given by the shapes of all inputs in their order; None where they depend on data.

        If they all have the same, it is made for these alone, of which an engine may make more.
        """
        different = set(runs)
        only = different.pop() if len(different) == 1 else None
        if only is None:
            return self
        inputs = (replace(each, dims=shape) for each, shape in zip(self.inputs, only, strict=True))
        return replace(self, inputs=tuple(inputs))


@dataclass(frozen=True, slots=True, kw_only=True)
class InputBuffer:
    """How to fill one input of a local graph: `box` of `tensor`, with `fill` around it.

    `padding` holds the extents (before, after) per axis that lie outside the tensor; empty means none.
    `dynamic` tensors are handed on whole, whatever their shape.
    """

    tensor: str
    box: Box
    padding: tuple[tuple[int, int], ...] = ()
    fill: float = 0.0
    dynamic: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        if not self.padding:
            return self.box.shape
        return tuple(
            extent + before + after for extent, (before, after) in zip(self.box.shape, self.padding, strict=True)
        )
