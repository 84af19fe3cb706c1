"""The command line: `legion COMMAND`."""

import logging
import sys

import typer

from legion.cli import demo, devices, lab, planning, prepare, profiling, running, zoo
from legion.cli.console import errors
from legion.errors import InfeasibleError, InputError, LegionError, PeerError

EXIT_CODES: dict[type[LegionError], int] = {InputError: 2, InfeasibleError: 3, PeerError: 4}
INTERNAL_EXIT_CODE = 5
INTERRUPTED_EXIT_CODE = 130

app = typer.Typer(
    name="legion",
    help="Run one neural network on several unequal devices at once, with the same answer, sooner.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    zoo.zoo,
    prepare.prepare,
    devices.worker,
    devices.devices,
    profiling.profile,
    planning.plan,
    planning.simulate,
    running.run,
    demo.demo,
):
    app.command()(command)
app.add_typer(lab.lab, name="lab")


def main() -> None:
    """Run the command line; errors of Legion's become one line and an exit code of their own."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except LegionError as exc:
        errors.print(f"{type(exc).__name__}: ", style="bold red", end="")
        errors.print(str(exc), highlight=False)
        sys.exit(EXIT_CODES.get(type(exc), INTERNAL_EXIT_CODE))
    except KeyboardInterrupt:
        errors.print("interrupted")
        sys.exit(INTERRUPTED_EXIT_CODE)


if __name__ == "__main__":
    main()
