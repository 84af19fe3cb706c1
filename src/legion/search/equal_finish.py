"""Shares with which all devices finish at the same time."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def equal_finish_shares(fixed_s: Array, per_share_s: Array) -> Array:
    """The shares that sum to one, with `fixed + per_share * share` the same for all devices that have any.

    Devices are the first axis; along the others, each problem is solved alone. A device whose fixed seconds alone
    exceed that common time has none. `per_share_s` must be positive.
    """
    taking_part = np.ones(fixed_s.shape, dtype=np.bool_)
    while True:
        rates = np.where(taking_part, 1.0 / per_share_s, 0.0)
        finish_s = (1.0 + (fixed_s * rates).sum(axis=0)) / rates.sum(axis=0)
        shares = (finish_s - fixed_s) * rates
        if (shares >= 0).all():
            return shares
        # Without those that would have less than nothing the others finish sooner, so none of them comes back.
        taking_part &= shares >= 0
