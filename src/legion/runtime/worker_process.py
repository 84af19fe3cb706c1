"""A worker as a child process: says in one line of JSON where it listens, and ends when its input does.

Started by `legion.runtime.local` and by the lab as `python -m legion.runtime.worker_process`.
"""

import argparse
import json
import os
import sys
import threading
from pathlib import Path

from legion.errors import LegionError
from legion.runtime.serve import WorkerOptions, serve
from legion.runtime.worker import Worker


def main() -> int:
    """Run a worker by the command line's arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--bind", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--turns", type=Path)
    parser.add_argument("--memory-bytes", type=int)
    parser.add_argument("--bandwidth-bytes-per-s", type=float)
    arguments = parser.parse_args()
    options = WorkerOptions(
        name=arguments.name,
        bind=arguments.bind,
        threads=arguments.threads,
        cache_directory=arguments.cache,
        speed=arguments.speed,
        turns=arguments.turns,
        memory_bytes=arguments.memory_bytes,
        bandwidth_bytes_per_s=arguments.bandwidth_bytes_per_s,
    )
    try:
        serve(options, _announce)
    except LegionError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


def _announce(worker: Worker) -> None:
    sys.stdout.write(json.dumps({"address": worker.address}) + "\n")
    sys.stdout.flush()
    threading.Thread(target=_stop_with_parent, args=(worker,), daemon=True).start()


def _stop_with_parent(worker: Worker) -> None:
    """The parent holds the other end of our input: when it is gone, nobody needs us."""
    while os.read(sys.stdin.fileno(), 1):  # not by way of sys.stdin, whose lock would be held at the end
        pass
    worker.stop()


if __name__ == "__main__":
    sys.exit(main())
