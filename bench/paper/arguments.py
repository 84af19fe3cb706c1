"""Arguments that the benchmarks on emulated boards share."""

import argparse
from collections.abc import Callable, Collection, Iterator

from bench.paper.cells import KNOWN_SETS, Cell

REPEAT = 11


def cell_arguments(
    program: str, method: str, *, models: Collection[str], sets: Collection[str], time_dilation: float = 1.0
) -> argparse.ArgumentParser:
    """Which cells to measure, of what is known of `models` and by default of these `sets`, how slowly, and how often.

    Slow motion is for machines that are too slow for the boards.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=method.partition("\n")[0])
    parser.add_argument("--model", type=listed(models))
    parser.add_argument("--devices", type=listed(KNOWN_SETS), default=sets)
    parser.add_argument(
        "--time-dilation", type=float, default=time_dilation, help="how many seconds here one of the boards' takes"
    )
    parser.add_argument("--repeat", type=int, default=REPEAT, help="frames of each plan")
    return parser


def asked_cells(arguments: argparse.Namespace, models: Collection[str]) -> Iterator[Cell]:
    """The cells that arguments of such a parser ask for; of these `models` where they name none."""
    for model in arguments.model or models:
        for devices in arguments.devices:
            yield Cell(model=model, devices=devices, time_dilation=arguments.time_dilation)


def listed(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """The type of an argument that lists some of what is known, separated by commas."""

    def parsed(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(known)}")
        return names

    return parsed
