"""What an interrupted table still has to measure."""

import json
from pathlib import Path

import pytest
from bench.paper import measure
from bench.paper.__main__ import _arguments, _policies
from bench.paper.candidates import PROFILED
from bench.paper.cells import POLICIES, Cell

from legion.errors import InfeasibleError


def written(path: Path, *policies: str) -> Path:
    path.write_text(json.dumps({"policies": [{"policy": name} for name in policies]}), encoding="utf-8")
    return path


def test_what_is_not_there_is_measured_as_asked(tmp_path: Path) -> None:
    assert _policies(_arguments([]), tmp_path / "missing.json") == POLICIES
    assert _policies(_arguments(["--policies", "auto,legion"]), tmp_path / "missing.json") == ("auto", "legion")


def test_what_is_there_is_not_measured_again(tmp_path: Path) -> None:
    there = written(tmp_path / "cell.json", "full-search", "legion-least-cost", "legion")
    assert _policies(_arguments(["--policies", "legion"]), there) == ()


def test_a_policy_more_is_measured_beside_those_that_are_there(tmp_path: Path) -> None:
    there = written(tmp_path / "cell.json", "legion-least-cost", "legion", "full-search")
    assert _policies(_arguments(["--policies", "auto"]), there) == ("full-search", "legion", "auto")


def test_a_named_file_is_written_anew(tmp_path: Path) -> None:
    there = written(tmp_path / "out.json", "legion")
    assert _policies(_arguments(["--policies", "legion", "--json", str(there)]), there) == ("legion",)


def test_unknown_names_are_refused() -> None:
    for words in (["--policies", "none"], ["--model", "none"], ["--devices", "9F"]):
        with pytest.raises(SystemExit):
            _arguments(words)


def test_every_policy_says_which_parts_of_the_profile_it_needs() -> None:
    assert set(POLICIES) == set(PROFILED)


def test_what_was_measured_in_one_emulation_is_not_taken_for_another() -> None:
    emulated = [
        Cell(model="vgg16", devices="2F"),
        Cell(model="vgg16", devices="2F", slow_by="quota"),
        Cell(model="vgg16", devices="2F", time_dilation=3),
        Cell(model="vgg16", devices="2F", slow_by="quota", time_dilation=3),
        Cell(model="vgg16", devices="2F", controller_mbit_per_s=1000),
    ]
    kept = {path for cell in emulated for path in (cell.profile, cell.trials, cell.shares)}
    assert len(kept) == 15


def test_a_cell_is_measured_in_the_lab_that_it_tells_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_calibrated", lambda: 0.1)
    told = measure._setting(Cell(model="vgg16", devices="2F"))
    other = measure._setting(
        Cell(model="vgg16", devices="2F", slow_by="quota", time_dilation=4, controller_mbit_per_s=1000)
    )
    assert told.controller.bandwidth_bytes_per_s == told.boards[0].link.bandwidth_bytes_per_s == 12_500_000
    assert (other.slow_by, other.time_dilation) == ("quota", 4)
    assert other.controller.bandwidth_bytes_per_s == 125_000_000 / 4
    assert other.boards == told.dilated(4).boards


@pytest.mark.parametrize("anew", [False, True])
def test_cells_that_are_there_are_measured_again_only_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: bool
) -> None:
    there, missing = Cell(model="vgg16", devices="2F"), Cell(model="vgg16", devices="2F", slow_by="quota")
    written(tmp_path / "vgg16-2F.json", "auto")
    measured: dict[Cell, Path] = {}

    def measured_cell(cell: Cell, _: object, *, result: Path, profile: Path, **__: object) -> None:
        assert profile != cell.profile
        measured[cell] = result

    monkeypatch.setattr(measure, "measure_cell", measured_cell)
    measure.measure_missing([there, missing], ("auto",), repeat=1, results=tmp_path, anew=anew, method="")
    assert list(measured) == ([there, missing] if anew else [missing])
    assert measured[missing] == tmp_path / "vgg16-2F-quota.json"


def test_what_cannot_be_carried_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[Cell] = []

    def carry(cell: Cell, *_: object, **__: object) -> None:
        if cell.time_dilation == 1:
            raise InfeasibleError("too fast")
        measured.append(cell)

    monkeypatch.setattr(measure, "measure_cell", carry)
    cells = [Cell(model="vgg16", devices="6F", time_dilation=time_dilation) for time_dilation in (1.0, 3.0)]
    measure.measure_missing(cells, ("auto",), repeat=1, results=tmp_path, anew=False, method="")
    assert measured == cells[1:]
    assert "vgg16-6F is left out: too fast" in capsys.readouterr().out
