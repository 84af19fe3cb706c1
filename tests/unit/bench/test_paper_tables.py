"""The tables of the reproduction, of made-up cells: every cell and policy may be missing."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from bench.controller_port import port_speed_table
from bench.markdown import fill_tables
from bench.paper.cell_files import CellFile, Cells, places, read_cells, read_published
from bench.paper.cells import POLICIES, SETS
from bench.paper.cost_tables import at_equal_repeats
from bench.paper.figures import DOCS, profiling, speedups
from bench.paper.results import MeasuredGroup, MeasuredPolicy, OneDevice, Predicted, ProfilingCost
from bench.paper.tables import TABLES

from legion.policy.policies import POLICIES as ALL

PLACE = ("vgg16", "2F")


def policy(name: str, median_s: float, cost: float) -> MeasuredPolicy:
    total = ProfilingCost(device_busy_s=2 * cost, wall_s=cost, bytes_moved=int(1e6 * cost), segments=int(cost))
    return MeasuredPolicy(
        policy=name,
        model=PLACE[0],
        devices=PLACE[1],
        speedup=2.0 / median_s,
        latency_s=(median_s,) * 3,
        median_s=median_s,
        overrun_s=(0.01 * median_s,) * 3,
        wire_cpu_s=(0.0,) * 3,
        run_s={"a": (median_s,) * 3},
        profiling={"layers": total, "total": total},
        predicted=Predicted(simulator_s=median_s * 1.1, parallel_s=None, one_at_a_time_s=None),
        groups=((0, 1),),
        shares=({"a": 1.0},),
        same_plan_as=None,
    )


def cells(*policies: MeasuredPolicy, groups: tuple[MeasuredGroup, ...] = ()) -> Cells:
    one_device = OneDevice(device="a", latency_s=(2.0,), median_s=2.0, predicted_s=2.0, overrun_s=(0.0,))
    setting = {
        "measured_at": "2026-01-01T10:20:30",
        "commit": "abc",
        "processor": "some",
        "cores": 2,
        "python": "3.11",
        "versions": {"onnxruntime": "1"},
        "repeat": 3,
        "lab": {},
    }
    cell = CellFile(
        model=PLACE[0],
        devices=PLACE[1],
        setting=setting,
        one_device=one_device,
        policies=policies,
        groups=groups,
    )
    return {PLACE: cell}


def row(table: str, *first: str) -> list[str]:
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return next(line for line in lines if tuple(line[: len(first)]) == first)


@pytest.mark.parametrize("made", [{}, cells(), cells(policy("legion", 1.0, 1.0))])
def test_all_tables_and_figures_can_be_made_of_few_cells(made: Cells) -> None:
    published = read_published()
    for table in TABLES.values():
        widths = {line.count("|") for line in table(made, published).splitlines() if line.startswith("|")}
        assert len(widths) == 1
    assert speedups(made, published).axes
    assert profiling(made, published).axes


def test_speed_ups_stand_beside_the_published_ones_and_the_missing_are_named() -> None:
    table = TABLES["speedups"](cells(policy("legion", 1.0, 1.0)), read_published())
    assert row(table, *PLACE)[2:9] == ["1.42", "", "1.45", "", "1.45", "2.00", "+38%"]
    assert row(table, "yolov2", "6F")[2:9] == ["1.41", "", "1.38", "", "1.38", "", ""]
    assert "Not measured: vgg16 on 3F," in table


def test_losses_and_ratios_are_of_the_full_search() -> None:
    made = cells(policy("full-search", 1.0, 60.0), policy("legion", 1.05, 2.0))
    assert row(TABLES["loss"](made, read_published()), *PLACE)[-2:] == ["-2.0%", "+5.0%"]
    ratios = row(TABLES["profiling"](made, read_published()), *PLACE)
    assert ratios[2:] == ["10439 s", "174 s", "60.2x", "60 s", "2 s", "30x", "30x", "30x", "30x"]


def test_frames_are_taken_apart_by_the_groups_that_the_full_search_measured() -> None:
    def group(first: int, end: int, run_s: float) -> MeasuredGroup:
        return MeasuredGroup(
            first=first,
            end=end,
            latency_s=(0.5, 0.7, 0.6),
            run_s={"a": (run_s,), "b": (run_s / 2,)},
            overrun_s=(0.0,) * 3,
            predicted_run_s={},
            predicted_s={"parallel, measured runs": run_s + 0.05},
        )

    legion = replace(policy("legion", 1.25, 1.0), groups=((0, 1), (1, 3)))
    with_all = cells(legion, groups=(group(0, 1, 0.3), group(0, 3, 0.9), group(1, 3, 0.4)))
    taken = ["1250 ms", "1200 ms", "700 ms", "500 ms", "1.45", "1.60", "2.50", "+72%"]
    assert row(TABLES["frames"](with_all, read_published()), *PLACE)[2:] == taken
    lacking_one = cells(legion, groups=(group(0, 1, 0.3),))
    assert "2F" not in TABLES["frames"](lacking_one, read_published())


def test_a_faster_port_stands_beside_one_as_slow_as_the_boards() -> None:
    slow = cells(policy("legion", 1.6, 1.0), policy("aofl", 1.25, 1.0))
    fast = cells(policy("legion", 1.25, 1.0), policy("auto", 1.0, 1.0))
    table = port_speed_table(slow, fast, read_published())
    assert row(table, *PLACE)[2:] == ["1.45", "1.25", "1.60", "+10%", "1.60", "", "", "", "", "2.00"]


def test_the_document_has_a_place_for_every_table(tmp_path: Path) -> None:
    path = tmp_path / "reproduction.md"
    path.write_text((DOCS / "reproduction.md").read_text(encoding="utf-8"), encoding="utf-8")
    fill_tables(path, dict.fromkeys(TABLES, "| filled \\1 |"))
    assert path.read_text(encoding="utf-8").count("| filled \\1 |") == len(TABLES)
    with pytest.raises(ValueError, match="no place for the table other"):
        fill_tables(path, {"other": ""})


def test_cells_are_read_back_in_the_order_of_the_tables(tmp_path: Path) -> None:
    (cell,) = cells(policy("legion", 1.0, 1.0)).values()
    content = msgspec.to_builtins(cell)
    for model, devices in reversed(places()[:3]):
        (tmp_path / f"{model}-{devices}.json").write_text(
            json.dumps({"method": "said", **content, "model": model, "devices": devices}), encoding="utf-8"
        )
    assert list(read_cells(tmp_path)) == places()[:3]


def test_cells_in_slow_motion_are_told_in_their_boards_seconds_and_give_way_to_those_in_real_time(
    tmp_path: Path,
) -> None:
    group = MeasuredGroup(
        first=0,
        end=1,
        latency_s=(2.0,),
        run_s={"a": (1.5,)},
        overrun_s=(0.0,),
        predicted_run_s={"aofl": {"a": 1.25}},
        predicted_s={"parallel": 2.5},
    )
    (cell,) = cells(policy("legion", 1.0, 4.0), groups=(group,)).values()
    slow = {**msgspec.to_builtins(cell), "setting": {**cell.setting, "lab": {"time_dilation": 2.0}}}
    (tmp_path / "vgg16-2F-dilated-2.json").write_text(json.dumps(slow), encoding="utf-8")
    read = read_cells(tmp_path)[PLACE]
    assert (read.one_device.median_s, read.policies[0].latency_s, read.policies[0].speedup) == (1.0, (0.5,) * 3, 2.0)
    assert read.policies[0].profiling["total"] == ProfilingCost(
        device_busy_s=4.0, wall_s=2.0, bytes_moved=4_000_000, segments=4
    )
    assert (read.groups[0].run_s, read.groups[0].predicted_s) == ({"a": (0.75,)}, {"parallel": 1.25})
    assert read.groups[0].predicted_run_s == {"aofl": {"a": 0.625}}
    (tmp_path / "vgg16-2F.json").write_text(json.dumps(msgspec.to_builtins(cell)), encoding="utf-8")
    assert read_cells(tmp_path)[PLACE].one_device.median_s == 2.0


def test_published_figures_and_policies_are_of_known_names() -> None:
    published = read_published()
    assert set(published.speedups) == set(places())
    assert set(published.profiling_s) < set(places())
    assert all((SETS / f"{devices}.toml").exists() for _, devices in places())
    assert set(POLICIES) <= set(ALL)


def test_a_full_search_of_one_frame_per_group_is_put_on_as_many_as_trials_have() -> None:
    group = MeasuredGroup(
        first=0,
        end=1,
        latency_s=(2.0,),
        run_s={"a": (1.5,), "b": (0.5,)},
        overrun_s=(0.0,),
        predicted_run_s={},
        predicted_s={},
    )
    made = cells(policy("full-search", 1.0, 100.0), policy("auto", 1.0, 10.0), groups=(group, group))
    full = at_equal_repeats(made[PLACE])
    assert full is not None
    assert (full.wall_s, full.device_busy_s) == (100.0 + 4 * 4.0, 200.0 + 4 * 4.0)
    assert row(TABLES["ratios"](made, read_published()), *PLACE)[-2:] == ["11.6x", "10.8x"]
