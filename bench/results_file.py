"""Results as JSON files: the setting first, then every figure."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("numpy", "onnx", "onnxruntime", "pyzmq", "msgspec")


def setting() -> dict[str, object]:
    """The machine, the versions, the commit and the time of a run."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _LIBRARIES},
        "commit": _commit(),
    }


def write_results(name: str, method: str, results: object) -> Path:
    """Write `bench/results/NAME.json`, and say where."""
    path = RESULTS / f"{name}.json"
    content = {"method": method, "setting": setting(), "results": msgspec.to_builtins(results)}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path}")
    return path


def read_results(name: str) -> dict[str, object]:
    """What `write_results` wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def _processor() -> str:
    """Its name, which may be that of several generations, and which one it is."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    which = [f"{name} {named[key]}" for name, key in (("family", "cpu family"), ("model", "model")) if key in named]
    return ", ".join([named.get("model name", platform.machine()), *which])


def _commit() -> str:
    """The commit, and whether code differs from it: results that have just been written do not count."""
    try:
        commit = _git("describe", "--always").stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    changed = _git("diff", "--name-only", "HEAD", "--", ":/", ":(top,exclude)bench/results").stdout
    return f"{commit}-dirty" if changed else commit


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True)  # noqa: S607
