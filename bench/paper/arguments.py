"""Arguments that the benchmarks on emulated boards share."""

import argparse
from collections.abc import Callable, Collection


def listed(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """The type of an argument that lists some of what is known, separated by commas."""

    def parsed(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(known)}")
        return names

    return parsed
