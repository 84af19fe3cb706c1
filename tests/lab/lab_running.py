"""Starts `legion lab` as a user does, and looks for what it leaves behind."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

NAMESPACES = Path("/run/netns")
CGROUPS = Path("/sys/fs/cgroup")
WAIT_S = 60.0


def _lacking() -> str:
    """Why there can be no namespaces here, if so."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need Linux and root"
    if not (shutil.which("ip") and shutil.which("tc")):
        return "network namespaces need iproute2's ip and tc"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    return f"this root may not make network namespaces: {tried.stderr.strip()}" if tried.returncode else ""


_REASON = _lacking()
needs_namespaces = pytest.mark.skipif(bool(_REASON), reason=_REASON)


@dataclass(frozen=True, slots=True)
class User:
    """Someone whose labs are kept in a directory of their own, so that nobody else's are seen or taken down."""

    folder: Path

    def legion(self, *words: object, expect: int = 0) -> str:
        """What a command prints on standard output; after `expect` another code, what it complains of."""
        done = subprocess.run(
            self.words(*words), capture_output=True, text=True, timeout=150, check=False, env=self.environment
        )
        assert done.returncode == expect, done.stderr
        return done.stderr if expect else done.stdout

    def start(self, *words: object) -> "subprocess.Popen[bytes]":
        """Start a command, in a session of its own."""
        return subprocess.Popen(
            self.words(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            start_new_session=True,
        )

    def close(self) -> None:
        """Take down what a failed test has left up."""
        if self.directories():
            self.legion("lab", "down")

    def words(self, *words: object) -> list[str]:
        return [sys.executable, "-m", "legion", *map(str, words)]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder), "TMPDIR": str(self.folder), "COLUMNS": "200"}

    def states(self) -> list[dict]:
        """What this user's labs note of themselves."""
        return [json.loads(path.read_text()) for path in self.folder.glob("legion-lab-*/*/state.json")]

    def directories(self) -> list[Path]:
        """Where this user's labs keep their files."""
        return list(self.folder.glob("legion-lab-*/*"))

    def lab_file(
        self, *devices: str, top: str = "", link_mbit_per_s: int = 1000, controller_mbit_per_s: int | None = None
    ) -> Path:
        """A lab file; each device is a line of TOML keys."""
        path = self.folder / "lab.toml"
        tables = [f"{top}\n[controller]\nlink_mbit_per_s = {controller_mbit_per_s or link_mbit_per_s}\n"]
        for index, keys in enumerate(devices):
            more = keys.replace(", ", "\n")
            tables.append(f'[[devices]]\nname = "board-{index}"\nlink_mbit_per_s = {link_mbit_per_s}\n{more}\n')
        path.write_text("\n".join(tables))
        return path


def remains(state: dict) -> list[str]:
    """What there still is of a lab, by the names that begin as its own, and by the processes of its state."""
    prefix = f"lgn{state['id']}"
    found = [str(path) for path in NAMESPACES.glob(f"{prefix}*")]
    found += [str(path) for path in CGROUPS.glob(f"{prefix}*")] + [str(path) for path in CGROUPS.glob(f"*/{prefix}*")]
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout if found else ""
    found += [line for line in links.splitlines() if prefix in line]
    started = [*state["processes"], state["owner"]]
    return found + [f"process {each['id']}" for each in started if is_same_process(each)]


def is_same_process(identity: dict) -> bool:
    try:
        process = psutil.Process(identity["id"])
        return abs(process.create_time() - identity["started_s"]) < 2 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def eventually(condition: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + WAIT_S
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return condition()
