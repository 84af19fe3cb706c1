"""Taking a lab's network apart, where another does so at the same moment."""

import pytest

from legion.errors import InternalError
from legion.lab import namespaces


class Kernel:
    """Knows no namespace, though there was one in the list a moment ago; `gone` says whether it has left that too."""

    def __init__(self, gone: bool) -> None:
        self.lists = [["lgn0000-0"], [] if gone else ["lgn0000-0"]]

    def listed(self, _prefix: str) -> list[str]:
        return self.lists.pop(0)

    def run(self, words: list[str]) -> str:
        raise InternalError(f"`{' '.join(words)}` failed")


@pytest.mark.parametrize("gone", [True, False])
def test_a_namespace_that_another_has_removed_is_no_error(monkeypatch: pytest.MonkeyPatch, gone: bool) -> None:
    kernel = Kernel(gone)
    monkeypatch.setattr(namespaces, "lab_namespaces", kernel.listed)
    monkeypatch.setattr(namespaces, "run_tool", kernel.run)
    if gone:
        namespaces.remove_network("lgn0000")
        return
    with pytest.raises(InternalError, match="lgn0000-0"):
        namespaces.remove_network("lgn0000")
