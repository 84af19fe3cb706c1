from collections.abc import Iterator

import pytest

from legion.policy import auto


@pytest.fixture(scope="module")
def short_search() -> Iterator[None]:
    """Plans of `auto` need not be the very best, so that searching takes a fiftieth of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auto, "EVALUATIONS_PER_LAYER", 400)
        yield
