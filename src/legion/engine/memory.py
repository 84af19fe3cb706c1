"""Giving freed memory back to the system, where the C library would keep it."""

import ctypes
from collections.abc import Callable
from functools import cache


def return_free_memory() -> None:
    """Hand the allocator's free pages back; does nothing where the C library is not glibc."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # no such handle on Windows, no such function elsewhere
        return None
