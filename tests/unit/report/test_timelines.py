from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.errors import InputError
from legion.plan.group_times import group_times_s
from legion.plan.timeline import Event, Timeline
from legion.report.picture import draw_plan, save_picture
from legion.report.tables import overrun_line
from legion.report.timeline_text import busy_s, timeline_lines
from legion.session.stages import Planning
from support.networks import small
from support.profiles import counted_profile


def event(node: str, kind: str, start_s: float, end_s: float, group: int | None = None) -> Event:
    return Event(
        node=node,
        instruction=0,
        kind=kind,  # pyright: ignore[reportArgumentType]
        label="",
        group=group,
        size_bytes=0,
        start_s=start_s,
        end_s=end_s,
    )


TIMELINE = Timeline(
    source="measured",
    latency_s=10.0,
    events=(
        event("a", "receive", 0.0, 1.0),
        event("a", "run", 1.0, 5.0, group=0),
        event("b", "run", 2.0, 6.0, group=0),
        event("b", "send", 6.0, 7.0),
        event("a", "run", 7.0, 9.0, group=1),
    ),
)


def test_a_line_per_node_with_its_busy_share() -> None:
    lines = timeline_lines(TIMELINE, columns=10)
    assert lines == ("a │·█████ ███│  60% running", "b │  █████>  │  40% running")


def test_late_boards_are_told_of_where_they_are_late_in_most_frames() -> None:
    in_time, late = replace(TIMELINE, overrun_s=0.1), replace(TIMELINE, overrun_s=0.5)
    assert overrun_line([in_time, in_time, late]) is None
    line = overrun_line([in_time, late, late])
    assert line is not None
    assert "5% of a frame later" in line


def test_groups_last_from_the_end_of_the_one_before() -> None:
    assert group_times_s(TIMELINE, 2) == (6.0, 3.0)
    assert busy_s(TIMELINE.events, "a") == 6.0


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 10), st.floats(0, 5)), min_size=1, max_size=20),
    st.integers(1, 80),
)
def test_groups_sum_to_the_last_end_and_lines_keep_their_width(
    runs: list[tuple[int, float, float]], columns: int
) -> None:
    events = tuple(event("a", "run", start, start + length, group) for group, start, length in runs)
    end_s = max(each.end_s for each in events)
    timeline = Timeline(source="predicted", latency_s=max(end_s, 0.1), events=events)
    assert sum(group_times_s(timeline, 4)) == pytest.approx(end_s)
    assert len(timeline_lines(timeline, columns=columns)[0].split("│")[1]) == columns


def test_the_picture_is_written_or_the_reason_said(tmp_path: Path) -> None:
    model = small("vgg16").model
    planning = Planning(model, counted_profile(model, {"a": 1.0, "b": 0.5}))
    choice = planning.choose("legion")
    assert choice.matrices is not None
    predicted = planning.predict(planning.programs(choice.scheme))
    names = [layer.name for layer in model.layers]
    figure = draw_plan("title", names, choice.matrices, choice.scheme, (predicted, predicted))
    save_picture(figure, tmp_path / "new" / "picture.png")
    assert (tmp_path / "new" / "picture.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        save_picture(figure, tmp_path / "file" / "picture.png")
