"""What an interrupted table still has to measure."""

import json
from pathlib import Path

import pytest
from bench.paper import measure
from bench.paper.__main__ import _arguments, _policies
from bench.paper.candidates import PROFILED
from bench.paper.cells import POLICIES, Cell


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


def test_what_was_measured_of_paced_boards_is_not_taken_for_boards_with_quotas() -> None:
    paced, by_quota = Cell(model="vgg16", devices="2F"), Cell(model="vgg16", devices="2F", slow_by="quota")
    kept = {paced.profile, paced.trials, paced.shares, by_quota.profile, by_quota.trials, by_quota.shares}
    assert len(kept) == 6


@pytest.mark.parametrize("anew", [False, True])
def test_cells_that_are_there_are_measured_again_only_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: bool
) -> None:
    there, missing = Cell(model="vgg16", devices="2F"), Cell(model="vgg16", devices="2F", slow_by="quota")
    written(tmp_path / "vgg16-2F.json", "auto")
    measured: dict[Cell, Path] = {}
    monkeypatch.setattr(measure, "measure_cell", lambda cell, _, *, result, **__: measured.update({cell: result}))
    measure.measure_missing([there, missing], ("auto",), repeat=1, results=tmp_path, anew=anew, method="")
    assert list(measured) == ([there, missing] if anew else [missing])
    assert measured[missing] == tmp_path / "vgg16-2F-quota.json"
