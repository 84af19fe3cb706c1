"""`legion lab`: emulated clusters of unequal boards on this machine."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from legion.cli.console import errors, output, print_json
from legion.cli.options import Json
from legion.lab.calibration import convolutions_here_s
from legion.lab.lab import PLACEHOLDER, open_lab, put_up, take_down, words_in_lab
from legion.lab.lab_file import read_lab
from legion.lab.processes import is_alive
from legion.lab.setting import Setting
from legion.lab.state import LabState, load_all

LabFile = Annotated[Path, typer.Argument(help="The lab file; docs/lab.md says what is in it.", show_default=False)]
Cold = Annotated[bool, typer.Option("--cold", help="Start with empty weight caches, filled over the emulated links.")]

lab = typer.Typer(help="Emulate a cluster of unequal boards on this machine.", no_args_is_help=True)


@lab.command()
def run(
    lab_file: LabFile,
    command: Annotated[
        list[str],
        typer.Argument(
            help=f"After --, what to run; {PLACEHOLDER} in it stands for the cluster file.", show_default=False
        ),
    ],
    cold: Cold = False,
) -> None:
    """Bring a lab up, run a command as its controller, and take the lab down, whatever happens.

    For example: legion lab run lab.toml -- legion run vgg16.onnx -c {cluster}
    """
    setting = _setting(lab_file)
    with open_lab(setting, cold=cold) as running:
        code = running.run(command)
    raise typer.Exit(code)


@lab.command()
def up(lab_file: LabFile, cold: Cold = False, json: Json = False) -> None:
    """Bring a lab up, and leave it up until `legion lab down`."""
    state = put_up(_setting(lab_file), cold=cold)
    if json:
        print_json(_summary(state))
        return
    words = words_in_lab(state, ["legion", "devices", "-c", PLACEHOLDER])
    output.print(f"lab {state.id} is up; use it as in", highlight=False)
    output.print(shlex.join(words), highlight=False, soft_wrap=True)


@lab.command()
def down(json: Json = False) -> None:
    """Take down the labs that `up` brought up, and what is left of labs that crashed."""
    taken = take_down()
    if json:
        print_json(taken)
    else:
        output.print(f"took down {', '.join(taken)}" if taken else "there was no lab to take down", highlight=False)


@lab.command()
def status(json: Json = False) -> None:
    """List this user's labs, their devices, and whether their workers run."""
    states = load_all()
    if json:
        print_json([_summary(state) for state in states])
        return
    for state in states:
        output.print(_table(state))
    if not states:
        output.print("there is no lab")


def _setting(lab_file: Path) -> Setting:
    return read_lab(lab_file, _measured_here_s)


def _measured_here_s() -> float:
    with errors.status("measuring how fast a core of this machine is"):
        return convolutions_here_s()


def _table(state: LabState) -> Table:
    setting = state.setting
    owner = "its owner is gone; `legion lab down` removes it" if state.abandoned else "up"
    emulation = f"slowed down by {setting.slow_by}, links by {setting.network}, time dilation {setting.time_dilation:g}"
    table = Table(title=f"lab {state.id}: {owner}, {emulation}")
    for heading in ("device", "speed", "memory", "link", "worker"):
        table.add_column(heading)
    for board, worker in zip(setting.boards, _workers_run(state), strict=True):
        memory = "no limit" if board.memory_bytes is None else f"{board.memory_bytes / 1e6:.0f} MB"
        link = f"{board.link.bandwidth_bytes_per_s * 8 / 1e6:g} Mbit/s, {board.link.delay_s * 1e3:g} ms"
        table.add_row(board.name, f"{board.speed:.3f}", memory, link, "runs" if worker else "does not run")
    return table


def _summary(state: LabState) -> dict[str, object]:
    return {
        "id": state.id,
        "abandoned": state.abandoned,
        "cluster_file": str(state.cluster_file),
        "command": words_in_lab(state, []),
        "setting": state.setting,
        "workers_run": _workers_run(state),
    }


def _workers_run(state: LabState) -> list[bool]:
    """For each device, whether its worker runs; the first processes of a lab are its workers."""
    started = state.processes[: len(state.setting.boards)]
    return [is_alive(each) for each in started] + [False] * (len(state.setting.boards) - len(started))
