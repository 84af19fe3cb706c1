"""New plans from those that survived: with some layers of others, and with small changes drawn at random, in C.

A change shares one layer out anew, or several that follow, moves where groups begin, turns borders first on or off, or
draws the number of parts; layers inside a group are then shared out as its last one is.
"""

import numpy as np

from legion.search.native import NativeTables, library
from legion.search.row_plans import RowPlans


def descend(
    tables: NativeTables,
    survivors: RowPlans,
    descendants: RowPlans,
    random: np.random.BitGenerator,
    *,
    keep_shares: bool = False,
) -> None:
    """Overwrite `descendants` with new plans; survivors that come first are parents more often.

    With `keep_shares`, shares stay as they are.
    """
    library.descend(
        tables,
        random.ctypes.bit_generator,
        keep_shares,
        len(survivors),
        tables.native(survivors),
        len(descendants),
        tables.native(descendants),
    )
