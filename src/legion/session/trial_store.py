"""What trials measured, kept in a file as it comes, so that an interrupted search goes on where it was."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import msgspec

from legion.cluster.device import DeviceInfo
from legion.errors import InputError
from legion.plan.scheme import Scheme
from legion.profile.measurement_cost import MeasurementCost

_HEADER = b'{"legion_trials":2}\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One scheme's frames on the devices, and what they took. `model` is for readers; `key` says what was run.

    `run_s` are each device's seconds of running in each frame, assembling its inputs included; `overruns_s` the
    overrun of the device with the most.
    """

    key: str
    model: str
    latencies_s: tuple[float, ...]
    run_s: Mapping[str, tuple[float, ...]]
    overruns_s: tuple[float, ...]
    cost: MeasurementCost


def trial_key(scheme: Scheme, devices: Mapping[str, DeviceInfo]) -> str:
    """The digest of what a trial depends on: the model or its part, the boxes, and the devices with their versions.

    How fast devices and links are is not in it: a file belongs to one cluster.
    """
    content = (replace(scheme, policy=""), [devices[name] for name in scheme.devices])
    return blake2b(msgspec.json.encode(content, order="deterministic"), digest_size=16).hexdigest()


class TrialStore:
    """Records by key, in memory, and in a file where one is given: one line of JSON for each.

    Raises InputError where the file cannot be read or written, or holds something else.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._path = Path(path) if path is not None else None
        self._records: dict[str, TrialRecord] = {}
        if self._path is not None:
            self._records = _opened(self._path)

    def get(self, key: str) -> TrialRecord | None:
        """What was measured under this key."""
        return self._records.get(key)

    def add(self, record: TrialRecord) -> None:
        """Keep a record, in the file at once."""
        self._records[record.key] = record
        if self._path is not None:
            try:
                with self._path.open("ab") as file:
                    file.write(msgspec.json.encode(record, order="deterministic") + b"\n")
            except OSError as exc:
                raise InputError(f"the trials cannot be kept in {self._path}: {exc.strerror}") from exc


def _opened(path: Path) -> dict[str, TrialRecord]:
    """The records of a file, which is made if there is none; a line that was cut off in writing is taken away."""
    try:
        if not path.exists():
            path.write_bytes(_HEADER)
        content = path.read_bytes()
        if not content.startswith(_HEADER):
            raise InputError(f"{path} holds no trials of this version of Legion; name another file")
        whole = content[: content.rindex(b"\n") + 1]
        if whole != content:
            os.truncate(path, len(whole))
        lines = whole.splitlines()[1:]
        records = [msgspec.json.decode(line, type=TrialRecord) for line in lines]
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise InputError(f"{path} holds a damaged trial ({exc}); remove that line, or name another file") from exc
    except OSError as exc:
        raise InputError(f"the trials in {path} cannot be used: {exc.strerror}") from exc
    return {record.key: record for record in records}
