"""Measurements that run inside a lab: a module of its own process, as the lab's controller."""

import sys
from pathlib import Path

from legion.lab.lab import PLACEHOLDER, RunningLab


def measure_inside(lab: RunningLab, module: str, *words: str | Path) -> None:
    """Run a module with the lab's cluster file and `words`; ends the program where that fails."""
    if code := lab.run([sys.executable, "-m", module, PLACEHOLDER, *map(str, words)]):
        sys.exit(code)
