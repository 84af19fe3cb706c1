"""What a policy decides: who computes which boxes, who owns them, and how tensors travel."""

from collections.abc import Mapping
from dataclasses import dataclass

from legion.geometry.box import Box

CONTROLLER = "controller"
"""The node that is the source of inputs and the sink of outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group of the FLC (fused-layer configuration): layers run with no communication inside.

    `layers` are indices into `model.layers`, ascending. `runs` gives each node that takes part an
    ordered list of runs (mostly one); a run names the box that it computes of every exported tensor,
    and demand says the rest. Runs of different nodes may overlap: that is recomputation.
    """

    layers: tuple[int, ...]
    runs: Mapping[str, tuple[Mapping[str, Box], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """An assignment with its FLC.

    `owners` covers each exported tensor disjointly: node to the boxes that others get from it.
    `via` names the node by way of which a tensor changes hands; a tensor not in it goes directly.
    """

    policy: str
    model_digest: str
    devices: tuple[str, ...]
    groups: tuple[Group, ...]
    owners: Mapping[str, Mapping[str, tuple[Box, ...]]]
    via: Mapping[str, str]
