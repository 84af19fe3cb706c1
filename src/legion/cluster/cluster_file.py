"""The cluster file: a TOML list of devices."""

import tomllib
from collections import Counter
from pathlib import Path

import msgspec

from legion.cluster.device import Device
from legion.errors import InputError

RESERVED_NAME = "controller"
"""The controller is a node of every plan, so no device may bear its name."""


class _DeviceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    address: str


class _ClusterFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    devices: tuple[_DeviceEntry, ...]


def read_cluster(path: str | Path) -> tuple[Device, ...]:
    """The devices that a cluster file names, in its order.

    The file holds one `[[devices]]` table per device with `name` and `address` ("host:port").
    Raises InputError if it cannot be read, has unknown or missing keys, an address that is none, or
    names or addresses that occur twice.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        entries = msgspec.convert(content, _ClusterFile).devices
    except OSError as exc:
        raise InputError(f"cluster file {path} cannot be read: {exc.strerror or exc}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise InputError(f"cluster file {path} is not valid TOML: {exc}") from exc
    except msgspec.ValidationError as exc:
        raise InputError(
            f"cluster file {path}: {exc}; each device is a [[devices]] table with name and address"
        ) from exc
    if not entries:
        raise InputError(f"cluster file {path} names no device")
    _check_unique(path, "name", [entry.name for entry in entries])
    _check_unique(path, "address", [entry.address for entry in entries])
    for entry in entries:
        _check_entry(path, entry)
    return tuple(Device(name=entry.name, address=entry.address) for entry in entries)


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
