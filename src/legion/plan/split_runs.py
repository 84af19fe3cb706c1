"""Runs in several parts, one after the other: what is received before and sent after each follows from demand."""

from collections.abc import Callable, Collection
from dataclasses import replace

from legion.geometry.box import Box
from legion.plan.scheme import Group, Scheme


def split_runs(scheme: Scheme, groups: Collection[int], parts: Callable[[str, str, Box], tuple[Box, ...]]) -> Scheme:
    """The scheme with the runs of these groups (by place in the FLC) in parts, which `parts(node, tensor, box)` gives.

    A group of which several tensors leave stays as it is, and so does what is in several runs already.
    """
    owners = dict(scheme.owners)
    changed: list[Group] = []
    for index, group in enumerate(scheme.groups):
        runs = dict(group.runs)
        tensors = {tensor for whole in group.runs.values() for outputs in whole for tensor in outputs}
        for node, whole in group.runs.items() if index in groups and len(tensors) == 1 else ():
            if len(whole) != 1:
                continue
            [(tensor, box)] = whole[0].items()
            boxes = parts(node, tensor, box)
            runs[node] = tuple({tensor: part} for part in boxes)
            owners[tensor] = {**owners[tensor], node: boxes}
        changed.append(replace(group, runs=runs))
    return replace(scheme, groups=tuple(changed), owners=owners)
