"""What an engine is: it makes local graphs runnable, and accounts for the memory that they take."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Protocol

import msgspec

from legion.errors import InputError
from legion.geometry.local_graph import LocalConstant, LocalGraph
from legion.model.model import Array

Loader = Callable[[LocalConstant], Array]
"""Gives the values of a constant that has a digest; a worker maps them from its weight store."""


class Executable(Protocol):
    """A local graph made ready to run."""

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run once: `inputs` in the order of the graph's inputs, results in that of its outputs.

        Results are the caller's: no later run writes to them.

        Raises InternalError when inputs do not suit the graph or an operator fails.
        """
        ...


class Engine(Protocol):
    """Runs local graphs on this device. Not thread-safe: one thread prepares, runs and retains."""

    @property
    def name(self) -> str: ...

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, the preferred one first."""
        ...

    @property
    def threads(self) -> int:
        """How many threads one operator may use."""
        ...

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the libraries that compute, by name."""
        ...

    @property
    def resident_bytes(self) -> int:
        """Memory that the prepared graphs take: weights as loaded, and each session's own copy of them."""
        ...

    def prepare(self, graph: LocalGraph, load: Loader) -> Executable:
        """Make a graph runnable; equal graphs share one executable.

        Raises InputError when the graph is malformed or this engine cannot run it, InfeasibleError when its
        synthetic constants do not fit into memory.
        """
        ...

    def retain(self, graphs: Iterable[LocalGraph]) -> None:
        """Forget all prepared graphs but these, and give memory back to the system.

        Executables that the caller still holds live on until it lets them go. Worth calling after preparing
        a plan too: preparing leaves as much free memory behind as the weights take.
        """
        ...


def graph_key(graph: LocalGraph) -> str:
    """The digest by which equal graphs are known, whatever the order of their attributes.

    Raises InputError for text or numbers that no message could carry.
    """
    try:
        encoded = msgspec.msgpack.encode(graph, order="deterministic")
    except (OverflowError, UnicodeEncodeError) as exc:
        raise InputError(f"a local graph holds what cannot be written: {exc}") from exc
    return blake2b(encoded, digest_size=16).hexdigest()
