import os
from pathlib import Path

import pytest

from legion.errors import InputError
from legion.lab.lab_file import PRESETS, read_lab, read_preset
from legion.lab.setting import Board, Link

CONTROLLER = "[controller]\nlink_mbit_per_s = 100\n"


def lab_file(folder: Path, text: str) -> Path:
    path = folder / "lab.toml"
    path.write_text(text)
    return path


def not_asked() -> float:
    raise AssertionError("this machine was measured without need")


def test_devices_by_speed(tmp_path: Path) -> None:
    text = """
        slow_by = "quota"
        [controller]
        link_mbit_per_s = 1000
        [[devices]]
        name = "a"
        speed = 0.25
        link_mbit_per_s = 80
        [[devices]]
        name = "b"
        speed = 1
        memory_mb = 512
        link_mbit_per_s = 100
        delay_ms = 2
    """
    setting = read_lab(lab_file(tmp_path, text), not_asked)
    assert setting.boards == (
        Board(name="a", speed=0.25, memory_bytes=None, link=Link(bandwidth_bytes_per_s=10e6)),
        Board(name="b", speed=1.0, memory_bytes=512_000_000, link=Link(bandwidth_bytes_per_s=12.5e6, delay_s=0.002)),
    )
    assert setting.controller == Link(bandwidth_bytes_per_s=125e6)
    assert setting.slow_by == "quota"
    assert setting.network == ("namespaces" if os.geteuid() == 0 else "transport")


def test_a_preset_gives_what_the_file_does_not(tmp_path: Path) -> None:
    text = """
        [[devices]]
        name = "a"
        preset = "firefly-rk3399"
        [[devices]]
        name = "b"
        preset = "firefly-rk3399"
        link_mbit_per_s = 10
        memory_mb = 100
    """
    asked: list[None] = []

    def here_s() -> float:
        asked.append(None)
        return 0.35

    first, second = read_lab(lab_file(tmp_path, CONTROLLER + text), here_s).boards
    preset = read_preset("firefly-rk3399")
    assert len(asked) == 1
    assert first.speed == second.speed == 0.35 / preset.convolutions_s
    assert first.memory_bytes == preset.memory_mb * 1_000_000
    assert first.link.bandwidth_bytes_per_s == preset.link_mbit_per_s * 125_000
    assert second.link.bandwidth_bytes_per_s == 1_250_000
    assert second.memory_bytes == 100_000_000


def test_a_lab_in_slow_motion(tmp_path: Path) -> None:
    text = '[[devices]]\nname = "a"\nspeed = 0.1\nlink_mbit_per_s = 80\ndelay_ms = 1\n' + CONTROLLER
    as_it_is = read_lab(lab_file(tmp_path, text), not_asked)
    assert as_it_is.time_dilation == 1
    assert read_lab(lab_file(tmp_path, "time_dilation = 4\n" + text), not_asked) == as_it_is.dilated(4)


def test_a_stated_speed_needs_no_measuring(tmp_path: Path) -> None:
    text = '[[devices]]\nname = "a"\npreset = "odroid-xu4"\nspeed = 0.1\n'
    (board,) = read_lab(lab_file(tmp_path, CONTROLLER + text), not_asked).boards
    assert board.speed == 0.1


@pytest.mark.parametrize("name", [path.stem for path in PRESETS.glob("*.toml")])
def test_every_preset_reads_and_names_its_source(name: str) -> None:
    assert len(read_preset(name).source) > 50


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "`controller`"),
        (CONTROLLER, "`devices`"),
        (CONTROLLER + "devices = []", "unknown field"),
        ("devices = []\n" + CONTROLLER, "names no device"),
        (CONTROLLER + '[[devices]]\nname = "a"\nspeed = 0.5', "a needs a preset, or both"),
        (CONTROLLER + '[[devices]]\nname = "a"\nlink_mbit_per_s = 5', "a needs a preset, or both"),
        (CONTROLLER + '[[devices]]\nname = "a"\nspeed = 0\nlink_mbit_per_s = 5', r"> 0.*devices\[0\]\.speed"),
        (CONTROLLER + '[[devices]]\nname = "a"\nspeed = 1\nlink_mbit_per_s = 5\ncolour = 1', "unknown field `colour`"),
        (CONTROLLER + 2 * '[[devices]]\nname = "a"\nspeed = 1\nlink_mbit_per_s = 5\n', "2 devices are named 'a'"),
        (CONTROLLER + '[[devices]]\nname = "controller"\nspeed = 1\nlink_mbit_per_s = 5', "named 'controller'"),
        (CONTROLLER + '[[devices]]\nname = "a"\npreset = "abacus"', "no preset 'abacus'; there are firefly-rk3399"),
        ('slow_by = "magic"\n' + CONTROLLER + "[[devices]]", "slow_by"),
        ("time_dilation = 0.5\n" + CONTROLLER + "[[devices]]", r">= 1\.0.*time_dilation"),
        ("time_dilation = inf\n" + CONTROLLER + "[[devices]]", r"<= 1000\.0.*time_dilation"),
        ("[controller", "not valid TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read_lab(lab_file(tmp_path, text), not_asked)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml cannot be read"):
        read_lab(tmp_path / "none.toml", not_asked)
