"""Processes take turns, and none keeps its turn beyond its end."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from legion.engine.turns import Turns
from legion.errors import InputError

HOLDER = """
import sys
from pathlib import Path
from legion.engine.turns import Turns
turns = Turns(Path(sys.argv[1]))
turns.begin()
print("begun", flush=True)
sys.stdin.readline()
if sys.argv[2] == "ends it":
    turns.end()
    sys.stdin.readline()
"""


@pytest.mark.parametrize("end", ["ends it", "is killed"])
def test_a_turn_begins_when_another_has_ended_by_itself_or_with_its_process(tmp_path: Path, end: str) -> None:
    path = tmp_path / "turns"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path, end], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "begun\n"
        begun = threading.Event()

        def begin() -> None:
            Turns(path).begin()
            begun.set()

        thread = threading.Thread(target=begin)
        thread.start()
        assert not begun.wait(0.2)
        if end == "ends it":
            holder.stdin.write("\n")
            holder.stdin.flush()
        else:
            holder.kill()
        assert begun.wait(30.0)
        thread.join()
        holder.kill()


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot take turns by .*turns: No such file"):
        Turns(tmp_path / "nowhere" / "turns")
