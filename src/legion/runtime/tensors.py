"""The arrays of one frame on one node: filled by arrivals and runs, read by recipe, freed after their last use."""

from collections.abc import Iterable

import numpy as np

from legion.errors import InternalError
from legion.model.model import Array
from legion.runtime.frame_plan import Recipe


class FrameTensors:
    """Slots that hold arrays; which slot holds what is the frame plan's affair."""

    def __init__(self, slots: int) -> None:
        self._arrays: list[Array | None] = [None] * slots

    def fill(self, slot: int, array: Array) -> None:
        """Put an array into a slot; it is not written to from now on."""
        self._arrays[slot] = array

    def free(self, slots: Iterable[int]) -> None:
        """Let the arrays of these slots go."""
        for slot in slots:
            self._arrays[slot] = None

    def make(self, recipe: Recipe) -> Array:
        """The array of a recipe, laid out in C order: no copy where one slot has it so, else a new one.

        Raises InternalError when a slot holds an array of another shape than planned.
        """
        first = recipe.copies[0]
        if len(recipe.copies) == 1 and not recipe.margins:
            held = self._held(first.slot)
            if first.source is None:
                return np.asarray(held, order="C")
            part = held[first.source]
            if part.shape != recipe.shape:
                raise InternalError(
                    f"an array of shape {held.shape} does not hold the {recipe.shape} part that was planned"
                )
            return np.asarray(part, order="C")
        made = np.empty(recipe.shape, self._held(first.slot).dtype)
        for margin in recipe.margins:
            made[margin] = recipe.fill
        for copy in recipe.copies:
            part = self._held(copy.slot) if copy.source is None else self._held(copy.slot)[copy.source]
            target = made[copy.target]
            if part.shape != target.shape:
                raise InternalError(f"a piece of shape {part.shape} came where {target.shape} was planned")
            target[...] = part
        return made

    def _held(self, slot: int) -> Array:
        array = self._arrays[slot]
        if array is None:
            raise InternalError(f"slot {slot} is read before it is filled, or after it was freed")
        return array
