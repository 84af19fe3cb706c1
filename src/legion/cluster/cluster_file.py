"""The cluster file: a TOML list of devices, and what an emulated cluster asks of its controller."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec

from legion.cluster.device import ControllerSetting, Device
from legion.errors import InputError

RESERVED_NAME = "controller"
"""The controller is a node of every plan, so no device may bear its name."""


class _DeviceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    address: str


class _ControllerEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    weight_cache: str | None = None
    bandwidth_bytes_per_s: Annotated[float, msgspec.Meta(gt=0)] | None = None


class _ClusterFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    devices: tuple[_DeviceEntry, ...]
    controller: _ControllerEntry = _ControllerEntry()


def read_cluster(path: str | Path) -> tuple[Device, ...]:
    """The devices that a cluster file names, in its order.

    The file holds one `[[devices]]` table per device with `name` and `address` ("host:port").
    Raises InputError if it cannot be read, has unknown or missing keys, an address that is none, or
    names or addresses that occur twice.
    """
    entries = _read(path).devices
    if not entries:
        raise InputError(f"cluster file {path} names no device")
    _check_unique(path, "name", [entry.name for entry in entries])
    _check_unique(path, "address", [entry.address for entry in entries])
    for entry in entries:
        _check_entry(path, entry)
    return tuple(Device(name=entry.name, address=entry.address) for entry in entries)


def read_controller(path: str | Path) -> ControllerSetting:
    """What the optional `[controller]` table of a cluster file asks of the controller; the lab writes it.

    Raises InputError as `read_cluster` does.
    """
    entry = _read(path).controller
    return ControllerSetting(
        weight_cache=None if entry.weight_cache is None else Path(entry.weight_cache),
        bandwidth_bytes_per_s=entry.bandwidth_bytes_per_s,
    )


def write_cluster(path: Path, devices: Iterable[Device], controller: ControllerSetting) -> None:
    """Write a cluster file that reads as these devices and this setting."""
    lines = ["[controller]"]
    if controller.weight_cache is not None:
        lines.append(f"weight_cache = {_quoted(str(controller.weight_cache))}")
    if controller.bandwidth_bytes_per_s is not None:
        lines.append(f"bandwidth_bytes_per_s = {float(controller.bandwidth_bytes_per_s)!r}")
    for device in devices:
        lines += ["", "[[devices]]", f"name = {_quoted(device.name)}", f"address = {_quoted(device.address)}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _quoted(text: str) -> str:
    """A basic string of TOML; JSON's is one, but for the character that TOML alone wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(path: str | Path) -> _ClusterFile:
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        return msgspec.convert(content, _ClusterFile)
    except OSError as exc:
        raise InputError(f"cluster file {path} cannot be read: {exc.strerror or exc}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise InputError(f"cluster file {path} is not valid TOML: {exc}") from exc
    except msgspec.ValidationError as exc:
        raise InputError(
            f"cluster file {path}: {exc}; each device is a [[devices]] table with name and address"
        ) from exc


def _check_unique(path: str | Path, what: str, values: list[str]) -> None:
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise InputError(f"cluster file {path}: {what} {repeated[0]!r} occurs twice; each device needs its own")


def _check_entry(path: str | Path, entry: _DeviceEntry) -> None:
    if not entry.name or entry.name == RESERVED_NAME:
        raise InputError(f"cluster file {path}: a device cannot be named {entry.name!r}")
    host, separator, port = entry.address.rpartition(":")
    if not (host and separator and port.isdigit() and 0 < int(port) < 65536):
        raise InputError(
            f"cluster file {path}: address {entry.address!r} of {entry.name} is not host:port, such as pi-1:7700"
        )
