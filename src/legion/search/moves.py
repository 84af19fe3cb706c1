"""New plans from those that survived: with some layers of others, and with small changes drawn at random, in C.

A change shares one layer out anew, or several that follow, moves where groups begin, turns borders first on or off, or
draws the number of parts; layers inside a group are then shared out as its last one is.
"""

import numpy as np

from legion.search.native import NativeTables, library
from legion.search.row_plans import RowPlans


class Moves:
    """Draws plans of one network; with `keep_shares`, only those that leave shares as they are."""

    def __init__(self, tables: NativeTables, *, keep_shares: bool = False) -> None:
        self._tables = tables
        self._keep_shares = keep_shares

    def descend(self, survivors: RowPlans, descendants: RowPlans, random: np.random.BitGenerator) -> None:
        """Overwrite `descendants` with new plans; survivors that come first are parents more often."""
        library.descend(
            self._tables,
            random.ctypes.bit_generator,
            self._keep_shares,
            len(survivors),
            self._tables.native(survivors),
            len(descendants),
            self._tables.native(descendants),
        )
