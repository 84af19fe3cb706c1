"""A device as the cluster file names it, and as it describes itself."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where a worker listens: `address` is `host:port`."""

    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """What a worker answers about itself. `versions` holds those of legion, python, numpy and the engine."""

    name: str
    cores: int
    threads: int
    memory_bytes: int
    machine: str
    engine: str
    providers: tuple[str, ...]
    versions: Mapping[str, str]
