"""`lab.toml`: what a lab is to be, as a person writes it."""

import os
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from legion.cluster.cluster_file import RESERVED_NAME
from legion.errors import InputError
from legion.lab.setting import Board, Link, Network, Setting, SlowBy

PRESETS = Path(__file__).parent / "presets"

_BYTES_PER_S_PER_MBIT = 1e6 / 8
_BYTES_PER_MB = 1_000_000

_Positive = Annotated[float, msgspec.Meta(gt=0)]
_PositiveCount = Annotated[int, msgspec.Meta(gt=0)]
_Dilation = Annotated[float, msgspec.Meta(ge=1, le=1000)]
_NotNegative = Annotated[float, msgspec.Meta(ge=0)]

T = TypeVar("T")


class _ControllerEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    link_mbit_per_s: _Positive
    delay_ms: _NotNegative = 0.0


class _DeviceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    preset: str | None = None
    speed: _Positive | None = None
    memory_mb: _PositiveCount | None = None
    link_mbit_per_s: _Positive | None = None
    delay_ms: _NotNegative = 0.0


class _LabFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    controller: _ControllerEntry
    devices: tuple[_DeviceEntry, ...]
    slow_by: SlowBy = "pacing"
    network: Network | None = None
    time_dilation: _Dilation = 1.0


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A known board. `convolutions_s` is what VGG-16's convolutions take on it; `source` says who says so."""

    convolutions_s: _Positive
    memory_mb: _PositiveCount
    link_mbit_per_s: _Positive
    source: str


def read_lab(path: str | Path, convolutions_here_s: Callable[[], float]) -> Setting:
    """The setting that a lab file describes.

    `convolutions_here_s` tells what VGG-16's convolutions take on a core of this machine; it is asked
    once, and only if a preset's speed is to be derived.

    Raises InputError for a file that cannot be read, unknown or missing keys, unknown presets, and
    devices without a name of their own.
    """
    content = _read(path, _LabFile)
    names = Counter(entry.name for entry in content.devices)
    if not names:
        raise InputError(f"lab file {path} names no device; each one is a [[devices]] table")
    for name, count in names.items():
        if count > 1 or not name or name == RESERVED_NAME:
            raise InputError(f"lab file {path}: {count} devices are named {name!r}; each needs a name of its own")
    presets = [None if entry.preset is None else read_preset(entry.preset) for entry in content.devices]
    derived = any(entry.preset is not None and entry.speed is None for entry in content.devices)
    here_s = convolutions_here_s() if derived else 0.0
    boards = tuple(_board(path, entry, preset, here_s) for entry, preset in zip(content.devices, presets, strict=True))
    setting = Setting(
        boards=boards,
        controller=_link(content.controller.link_mbit_per_s, content.controller.delay_ms),
        slow_by=content.slow_by,
        network=content.network or ("namespaces" if os.geteuid() == 0 else "transport"),
    )
    return setting.dilated(content.time_dilation)


def read_preset(name: str) -> Preset:
    """A preset by its name. Raises InputError if there is none."""
    known = sorted(path.stem for path in PRESETS.glob("*.toml"))
    if name not in known:
        raise InputError(f"there is no preset {name!r}; there are {', '.join(known)}")
    return _read(PRESETS / f"{name}.toml", Preset)


def _board(path: str | Path, entry: _DeviceEntry, preset: Preset | None, here_s: float) -> Board:
    speed, memory_mb, link_mbit_per_s = entry.speed, entry.memory_mb, entry.link_mbit_per_s
    if preset is not None:
        speed = speed or here_s / preset.convolutions_s
        memory_mb = memory_mb or preset.memory_mb
        link_mbit_per_s = link_mbit_per_s or preset.link_mbit_per_s
    if speed is None or link_mbit_per_s is None:
        raise InputError(f"lab file {path}: {entry.name} needs a preset, or both a speed and link_mbit_per_s")
    return Board(
        name=entry.name,
        speed=speed,
        memory_bytes=memory_mb and memory_mb * _BYTES_PER_MB,
        link=_link(link_mbit_per_s, entry.delay_ms),
    )


def _link(mbit_per_s: float, delay_ms: float) -> Link:
    return Link(bandwidth_bytes_per_s=mbit_per_s * _BYTES_PER_S_PER_MBIT, delay_s=delay_ms / 1e3)


def _read(path: str | Path, kind: type[T]) -> T:
    try:
        return msgspec.convert(tomllib.loads(Path(path).read_text(encoding="utf-8")), kind)
    except OSError as exc:
        raise InputError(f"lab file {path} cannot be read: {exc.strerror or exc}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise InputError(f"lab file {path} is not valid TOML: {exc}") from exc
    except msgspec.ValidationError as exc:
        raise InputError(f"lab file {path}: {exc}") from exc
