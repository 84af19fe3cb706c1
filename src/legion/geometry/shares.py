"""Shares of an axis as intervals."""

from collections.abc import Sequence
from itertools import accumulate

from legion.geometry.box import Interval


def split_extent(extent: int, fractions: Sequence[float]) -> tuple[Interval, ...]:
    """Consecutive intervals that cover `[0, extent)`, in proportion to fractions of any positive sum.

    Each is less than one element from proportional (largest remainders first); a small fraction's may be empty.
    """
    total = sum(fractions)
    exact = [extent * fraction / total for fraction in fractions]
    sizes = [int(size) for size in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: sizes[index] - exact[index])
    for index in by_remainder[: extent - sum(sizes)]:
        sizes[index] += 1
    ends = list(accumulate(sizes))
    return tuple((end - size, end) for end, size in zip(ends, sizes, strict=True))
