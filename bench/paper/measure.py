"""Cells, each measured in a lab of its own."""

import json
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from bench.inside_lab import measure_inside
from bench.paper.cells import TRIALS, Cell
from bench.paper.inside import Job
from bench.results_file import setting
from legion import NORMALIZATIONS, prepare_model
from legion.errors import InfeasibleError
from legion.lab.calibration import convolutions_here_s
from legion.lab.lab import open_lab
from legion.lab.lab_file import read_lab
from legion.lab.setting import Setting
from legion.model import zoo

_NORMALIZATION = "imagenet"


def measure_missing(  # noqa: PLR0913 - what is measured, how, and where it goes
    cells: Iterable[Cell], policies: tuple[str, ...], *, repeat: int, results: Path, anew: bool, method: str
) -> None:
    """Measure `policies`, none of which is the full search, in the cells that are not in the folder `results`.

    All of them `anew` if so asked. Each from its profile on, which is not kept. Those that this machine cannot carry
    are named, and left out. See `measure_cell`.
    """
    with tempfile.TemporaryDirectory() as folder:
        for cell in cells:
            result = results / f"{cell.name}.json"
            if result.exists() and not anew:
                continue
            with left_out_if_too_much(cell):
                measure_cell(
                    cell,
                    policies,
                    repeat=repeat,
                    fss_frames=0,
                    folder=Path(folder),
                    profile=Path(folder) / cell.profile.name,
                    result=result,
                    method=method,
                )


@contextmanager
def left_out_if_too_much(cell: Cell) -> Generator[None]:
    """Go on without a cell that this machine cannot carry, and say so."""
    try:
        yield
    except InfeasibleError as exc:
        print(f"{cell.name} is left out: {exc}", flush=True)


def measure_cell(  # noqa: PLR0913 - what is measured, how, and where it goes
    cell: Cell,
    policies: tuple[str, ...],
    *,
    repeat: int,
    fss_frames: int,
    folder: Path,
    profile: Path,
    result: Path,
    method: str,
) -> None:
    """Measure `policies` side by side, and write `result`; networks and what passes between processes go to `folder`.

    The devices' profile is taken up from the file `profile`, if it is there, and kept there. Ends the program where the
    measurement fails.
    """
    for directory in (TRIALS, result.parent):
        directory.mkdir(parents=True, exist_ok=True)
    lab_setting = _setting(cell)
    measured, job_file = folder / "measured.json", folder / "job.json"
    job = Job(
        cell=cell,
        network=str(_network(cell, folder)),
        policies=policies,
        repeat=repeat,
        fss_frames=fss_frames,
        profile=str(profile),
        result=str(measured),
    )
    job_file.write_bytes(msgspec.json.encode(job))
    speeds = ", ".join(f"{board.name} {board.speed:.3f}" for board in lab_setting.boards)
    print(f"{cell.name}: {', '.join(policies)}; speeds {speeds}", flush=True)
    with open_lab(lab_setting) as lab:
        measure_inside(lab, "bench.paper.inside", job_file)
    content = {
        "method": method,
        "setting": {
            **setting(),
            "convolutions_here_s": _calibrated(),
            "lab_file": cell.lab_file.read_text(encoding="utf-8"),
            "lab": msgspec.to_builtins(lab_setting),
            "repeat": repeat,
            "fss_frames": fss_frames,
        },
        "model": cell.model,
        "devices": cell.devices,
        **json.loads(measured.read_bytes()),
    }
    result.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _setting(cell: Cell) -> Setting:
    """The lab that a cell is measured in."""
    told = replace(read_lab(cell.lab_file, _calibrated), slow_by=cell.slow_by)
    if cell.controller_mbit_per_s is not None:
        told = with_controller_port(told, cell.controller_mbit_per_s)
    return told.dilated(cell.time_dilation)


def with_controller_port(setting: Setting, mbit_per_s: float) -> Setting:
    """The lab with another rate of the controller's port."""
    return replace(setting, controller=replace(setting.controller, bandwidth_bytes_per_s=125_000 * mbit_per_s))


def _network(cell: Cell, folder: Path) -> Path:
    """The network's file, which is made if there is none yet."""
    path = folder / f"{cell.model}.onnx"
    if not path.exists():
        plain = path if not cell.takes_bytes else folder / f"{cell.zoo_name}.onnx"
        if not plain.exists():
            zoo.write(cell.zoo_name, plain)
        if cell.takes_bytes:
            path.write_bytes(prepare_model(plain, NORMALIZATIONS[_NORMALIZATION]))
    return path


def _calibrated() -> float:
    """What VGG-16's convolutions take here, measured once for all cells."""
    path = TRIALS / "calibration.json"
    if not path.exists():
        path.write_text(json.dumps({"convolutions_here_s": convolutions_here_s()}), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))["convolutions_here_s"]
