"""The options that several commands share."""

import os
from pathlib import Path
from typing import Annotated

import typer

from legion.errors import InputError
from legion.model.model import Model
from legion.model.onnx_import import load_model
from legion.policy.policies import POLICIES
from legion.session.cluster import Cluster, connect, local_cluster

ModelFile = Annotated[Path, typer.Argument(help="An ONNX file.", show_default=False)]
ClusterFile = Annotated[Path | None, typer.Option("-c", "--cluster", help="Use the devices of this cluster file.")]
Local = Annotated[int | None, typer.Option("--local", min=1, help="Use so many workers on this machine.")]
ProfileFile = Annotated[Path | None, typer.Option("--profile", help="Use the samples of this profile.")]
PolicyName = Annotated[str, typer.Option("--policy", help=f"One of {', '.join(POLICIES)}.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="The extent of a symbolic batch axis.")]
Sizes = Annotated[list[str] | None, typer.Option("--size", help="The extent of another symbolic axis, as NAME=EXTENT.")]
TrialsFile = Annotated[
    Path | None, typer.Option("--trials-file", help="Keep trials in this file, and do not run those again that it has.")
]
Trials = Annotated[bool, typer.Option("--trials/--no-trials", help="Let the policy try candidates on the devices.")]


def writable(path: Path | None) -> Path | None:
    """The path of an option, if a file can be written there: noticed before what is written is worked out.

    Raises InputError.
    """
    if path is not None and (path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)):
        raise InputError(f"{path} cannot be written: name a file in a folder that is there and yours")
    return path


def asks_devices(known: Path | None, cluster: Path | None, local: int | None) -> bool:
    """Whether a command that can do with a profile alone was given devices, or has to ask for them."""
    return known is None or cluster is not None or local is not None


def open_cluster(cluster: Path | None, local: int | None) -> Cluster:
    """The devices that the options choose. Raises InputError unless exactly one of them is given."""
    if (cluster is None) == (local is None):
        raise InputError("choose the devices: either -c CLUSTER_FILE or --local COUNT")
    return connect(cluster) if cluster is not None else local_cluster(local or 1)


def check_trials(tried: bool, trials_file: Path | None) -> None:
    """Raise InputError for a file of trials where none are run."""
    if trials_file is not None and not tried:
        raise InputError(f"nothing is tried on devices, so {trials_file} has nothing to keep: leave out --trials-file")


def read_model(path: Path, batch: int, sizes: list[str] | None) -> Model:
    """The model of the options. Raises InputError if it cannot be imported."""
    return load_model(path, batch=batch, sizes=read_sizes(sizes))


def read_sizes(sizes: list[str] | None) -> dict[str, int]:
    """The extents of symbolic axes by name. Raises InputError for what is not NAME=EXTENT."""
    return dict(_size(text) for text in sizes or ())


def _size(text: str) -> tuple[str, int]:
    name, separator, extent = text.partition("=")
    if not (name and separator and extent.isdigit() and int(extent) > 0):
        raise InputError(f"--size {text}: write NAME=EXTENT, such as height=224")
    return name, int(extent)
