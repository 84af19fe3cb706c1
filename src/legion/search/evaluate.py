"""The latency of many plans at once: the simulator's rules, layer by layer instead of event by event, in C.

What they leave out is the order of events where messages compete for a port: these are taken reader by reader. And of
a first group in parts they say that all can be sent when the last part is done. So this ranks plans, and the simulator
has the last word on the best of them.

A plan that takes more memory than its devices have is priced too: at a second more for each byte that they lack.
"""

import numpy as np

from legion.cost.tables import Array
from legion.search.native import NativeTables, library
from legion.search.row_plans import RowPlans


def latencies_s(tables: NativeTables, plans: RowPlans) -> Array:
    """Seconds from the first input's byte to the last output's, of each plan; more where it does not fit.

    Raises MemoryError where there is too little of it to price one.
    """
    seconds = np.empty(len(plans))
    if not library.latencies(tables, len(plans), tables.native(plans), seconds.ctypes.data):
        raise MemoryError(f"too little memory to price a plan of {plans.cuts.shape[1]} layers")
    return seconds
