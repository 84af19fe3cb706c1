"""The tables that the project shows are those of its results."""

import shutil
from pathlib import Path

import pytest
from bench import tables


def test_pages_show_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("README", "LAB_PAGE"):
        shown: Path = getattr(tables, name)
        monkeypatch.setattr(tables, name, Path(shutil.copy(shown, tmp_path)))
    tables.main()
    for shown in (tables.ROOT / "README.md", tables.ROOT / "docs" / "lab.md"):
        assert (tmp_path / shown.name).read_text(encoding="utf-8") == shown.read_text(encoding="utf-8")


def test_cells_without_some_policy_are_left_out() -> None:
    def cell(*policies: str) -> dict[str, object]:
        measured = {"speedup": 2.0, "median_s": 1.0, "predicted": {"simulator_s": 1.1}}
        return {
            "model": "vgg16",
            "devices": "6F",
            "setting": {"lab": {}},
            "one_device": {"median_s": 2.0, "predicted_s": 2.0},
            "policies": [{"policy": policy, **measured} for policy in policies],
        }

    table = tables.cells_table([cell(*tables.COMPARED), cell("auto")])
    assert table.count("vgg16") == 1
    assert "+10%" in table
