"""What every command prints with: results on standard output, the rest on standard error."""

from collections.abc import Generator
from contextlib import contextmanager

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from legion.session.progress import Progress as ProgressCallback

output = Console()
errors = Console(stderr=True)


@contextmanager
def progress_bar() -> Generator[ProgressCallback]:
    """A bar on standard error, gone when done; hand what it yields to whatever reports progress."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def report(stage: str, fraction: float) -> None:
            bar.update(task, description=stage, completed=fraction)

        yield report


def print_json(value: object) -> None:
    """Any of Legion's data as JSON on standard output."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())  # noqa: T201 - the result itself
