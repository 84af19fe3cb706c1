"""How long stages tell how far they are."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction of it that is done, 0 to 1."""


def silent(stage: str, fraction: float) -> None:
    """Progress that nobody watches."""
