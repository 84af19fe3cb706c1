"""`legion profile`: measure the single layers of a model on every device."""

from pathlib import Path
from typing import Annotated

import typer

from legion.cli.caching import NoCache, open_cache
from legion.cli.console import errors, output, print_json, progress_bar
from legion.cli.options import (
    Batch,
    ClusterFile,
    Json,
    Local,
    ModelFile,
    ProfileFile,
    Sizes,
    open_cluster,
    read_model,
    writable,
)
from legion.profile.samples import MeasurementPolicy
from legion.profile.store import read_profile, write_profile
from legion.report.tables import port_line, profile_table, ring_line
from legion.session.stages import Planning, profile_devices

DEFAULTS = MeasurementPolicy()


def profile(
    model: ModelFile,
    cluster: ClusterFile = None,
    local: Local = None,
    known: ProfileFile = None,
    save: Annotated[
        Path | None, typer.Option("-o", "--output", callback=writable, help="Write all samples to this file.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Samples per layer and extent, at most.")] = DEFAULTS.rounds,
    budget: Annotated[
        float, typer.Option(min=0.0, help="Seconds of each device to share out; each is sampled at least twice.")
    ] = DEFAULTS.budget_s,
    training: Annotated[
        bool, typer.Option("--training", help="Measure the layers too from which the policy aofl learns.")
    ] = False,
    no_cache: NoCache = False,
    batch: Batch = 1,
    size: Sizes = None,
    json: Json = False,
) -> None:
    """Measure the model's single layers and the links; identical layers once, what --profile holds not again.

    What was measured is used by the commands that follow, for a day, unless --profile or --no-cache is given.
    """
    network = read_model(model, batch, size)
    before = read_profile(known) if known else None
    with open_cluster(cluster, local) as devices, progress_bar() as progress:
        measured = profile_devices(
            network,
            devices,
            known=before,
            policy=MeasurementPolicy(rounds=rounds, budget_s=budget),
            training=training,
            progress=progress,
        )
        kept = open_cache(no_cache)
        if kept is not None and before is None:
            kept.keep_profile(network, devices, measured)
        names = tuple(devices.devices)
    if save:
        write_profile(measured, save)
        errors.print(f"wrote {save}")
    if json:
        print_json(measured)
    else:
        costs = Planning(network, measured, names).costs
        output.print(profile_table(costs, measured))
        for line in filter(None, (port_line(measured), ring_line(costs, measured))):
            output.print(line)
