"""A node's list of instructions: what a scheme is lowered to, and what both interpreters run."""

from dataclasses import dataclass

from legion.geometry.box import Box
from legion.geometry.segment import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive:
    """Wait until `box` of `tensor` has come from the node `source`."""

    tensor: str
    box: Box
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Assemble the segment's inputs from what is held, and run it.

    `group` is its place in the FLC, `label` names its first and last layer for people.
    """

    segment: Segment
    group: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Hand `box` of `tensor`, which is held, to the node `destination`; never waits for the wire."""

    tensor: str
    box: Box
    destination: str


Instruction = Receive | Run | Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What one node does for each frame, in order. The controller's has no Run."""

    node: str
    instructions: tuple[Instruction, ...]
