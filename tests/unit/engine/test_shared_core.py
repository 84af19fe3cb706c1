"""Processes that share a core have it one at a time, and none keeps it beyond its end."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from legion.engine.shared_core import SharedCore
from legion.errors import InputError

HOLDER = """
import sys
from pathlib import Path
from legion.engine.shared_core import SharedCore
core = SharedCore(Path(sys.argv[1]))
core.take()
print("taken", flush=True)
sys.stdin.readline()
if sys.argv[2] == "leaves":
    core.leave()
    sys.stdin.readline()
"""


@pytest.mark.parametrize("end", ["leaves", "is killed"])
def test_who_takes_a_core_waits_until_the_other_leaves_it_or_ends(tmp_path: Path, end: str) -> None:
    path = tmp_path / "core"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path, end], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "taken\n"
        core, taken = SharedCore(path), threading.Event()

        def take() -> None:
            core.take()
            taken.set()
            core.leave()

        thread = threading.Thread(target=take)
        thread.start()
        assert not taken.wait(0.2)
        if end == "leaves":
            holder.stdin.write("\n")
            holder.stdin.flush()
        else:
            holder.kill()
        assert taken.wait(30.0)
        thread.join()
        holder.kill()


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be had by .*core: No such file"):
        SharedCore(tmp_path / "nowhere" / "core")
