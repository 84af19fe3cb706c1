"""`legion worker` and `legion devices`: be a device, and see which there are."""

import platform
from pathlib import Path
from typing import Annotated

import typer

from legion.cli.console import errors, output, print_json
from legion.cli.options import ClusterFile, Json, Local, open_cluster
from legion.report.tables import device_table
from legion.runtime.serve import WorkerOptions, serve
from legion.runtime.worker import Worker
from legion.session.cache import DEFAULT_FOLDER

DEFAULT_PORT = 7700


def worker(
    name: Annotated[str, typer.Option(help="What to be called in messages.")] = platform.node() or "worker",
    bind: Annotated[
        str, typer.Option(help="Where to listen, HOST:PORT; 0.0.0.0 lets other machines in.")
    ] = f"127.0.0.1:{DEFAULT_PORT}",
    threads: Annotated[int, typer.Option(min=1, help="Computing threads.")] = 1,
    cache: Annotated[Path, typer.Option(help="Where to keep weights.")] = DEFAULT_FOLDER,
    provider: Annotated[str, typer.Option(help="ONNX Runtime's execution provider.")] = "CPUExecutionProvider",
    json: Json = False,
) -> None:
    """Be a device: wait for a controller, run what it installs, then wait for the next. Ctrl-C ends it."""
    options = WorkerOptions(
        name=name, bind=bind, threads=threads, cache_directory=cache.expanduser(), provider=provider
    )

    def ready(running: Worker) -> None:
        if json:
            print_json({"name": name, "address": running.address})
        else:
            errors.print(f"worker {name} listens at {running.address}; Ctrl-C ends it")

    serve(options, ready)


def devices(cluster: ClusterFile = None, local: Local = None, json: Json = False) -> None:
    """List the devices: what each one is, and what it runs."""
    with open_cluster(cluster, local) as connected:
        if json:
            print_json(dict(connected.devices))
        else:
            output.print(device_table(connected.devices))
