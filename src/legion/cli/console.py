"""What every command prints with: results on standard output, the rest on standard error."""

from collections.abc import Generator
from contextlib import contextmanager

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from legion.plan.timeline import Timeline
from legion.report.timeline_text import LEGEND, timeline_lines
from legion.session.progress import Progress as ProgressCallback

_BESIDE_TIMELINE = 36
"""Columns kept for the node's name before the timeline, and its share behind."""

output = Console(markup=False)
errors = Console(stderr=True, markup=False)


@contextmanager
def progress_bar() -> Generator[ProgressCallback]:
    """A bar on standard error, gone when done; hand what it yields to whatever reports progress."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def report(stage: str, fraction: float) -> None:
            bar.update(task, description=stage, completed=fraction)

        yield report


def print_timeline(timeline: Timeline) -> None:
    """One line per node, as wide as the terminal, and what the characters mean."""
    for line in timeline_lines(timeline, columns=max(20, output.width - _BESIDE_TIMELINE)):
        output.print(line, highlight=False, soft_wrap=True)
    errors.print(LEGEND, highlight=False)


def print_json(value: object) -> None:
    """Any of Legion's data as JSON on standard output."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode(), flush=True)  # noqa: T201 - the result itself
