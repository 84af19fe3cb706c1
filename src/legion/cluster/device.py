"""A device as the cluster file names it, and as it describes itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where a worker listens: `address` is `host:port`."""

    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSetting:
    """What an emulated cluster asks of its controller.

    `weight_cache` is the directory on this machine that all its workers share, to be filled directly and not over
    the link; `bandwidth_bytes_per_s` is the speed to which the controller slows its own link.
    """

    weight_cache: Path | None = None
    bandwidth_bytes_per_s: float | None = None


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


def same_kind(one: DeviceInfo, other: DeviceInfo) -> bool:
    """Whether samples of one hold for the other: the same kind of machine, threads, engine and providers."""
    return all(
        getattr(one, name) == getattr(other, name) for name in ("cores", "threads", "machine", "engine", "providers")
    ) and one.versions.get(one.engine) == other.versions.get(other.engine)
