"""`legion run`: run a model on the devices, measured beside predicted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated
from zipfile import ZipFile

import typer
from numpy.lib.format import write_array

from legion.cli.caching import NoCache, open_cache, tell_added, tell_ages
from legion.cli.console import output, print_json, print_timeline, progress_bar
from legion.cli.inputs import Normalization, read_feeds
from legion.cli.options import (
    Batch,
    ClusterFile,
    Json,
    Local,
    ModelFile,
    PolicyName,
    ProfileFile,
    Sizes,
    Trials,
    TrialsFile,
    check_trials,
    open_cluster,
    read_model,
    writable,
)
from legion.errors import InputError
from legion.model.model import Array
from legion.plan.timeline import Timeline
from legion.profile.store import read_profile
from legion.report.explain import Explanation, explain
from legion.report.explanation_text import bound_line, breakdown_table, what_if_line
from legion.report.summaries import choice_summary, costs_summary, run_summary
from legion.report.tables import decision_line, overrun_line, timeline_table
from legion.session.compare import Comparison, Effect, compare_with_whole, effect_on_outputs
from legion.session.feeds import check_feeds
from legion.session.inference_session import InferenceSession
from legion.session.stages import Planning

Inputs = Annotated[
    list[str] | None,
    typer.Argument(help="Images, .npy or .npz files, each as PATH or NAME=PATH; seeded numbers if there is none."),
]


def run(
    model: ModelFile,
    inputs: Inputs = None,
    cluster: ClusterFile = None,
    local: Local = None,
    known: ProfileFile = None,
    policy: PolicyName = "auto",
    trials: Trials = True,
    trials_file: TrialsFile = None,
    no_cache: NoCache = False,
    normalize: Annotated[
        Normalization, typer.Option(help="Images are resized to the input's size, then normalised so; not for uint8.")
    ] = Normalization.IMAGENET,
    repeat: Annotated[int, typer.Option(min=1, help="Run so many frames.")] = 1,
    compare: Annotated[bool, typer.Option("--compare", help="Compare with ONNX Runtime on the whole model.")] = False,
    compare_with: Annotated[
        Path | None, typer.Option("--compare-with", exists=True, help="Compare with the original of a prepared model.")
    ] = None,
    explained: Annotated[
        bool, typer.Option("--explain", help="Say where the time went, predicted and measured, and what would help.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option("-o", "--output", callback=writable, help="Write the outputs to this .npz file.")
    ] = None,
    batch: Batch = 1,
    size: Sizes = None,
    json: Json = False,
) -> None:
    """Run a model on the devices, and show what was measured beside what was predicted."""
    check_trials(trials, trials_file)
    network = read_model(model, batch, size)
    feeds = read_feeds(network, inputs or (), normalize)
    check_feeds(network, feeds)
    profile = read_profile(known) if known else None
    with open_cluster(cluster, local) as devices, progress_bar() as progress:
        session = InferenceSession(
            network,
            cluster=devices,
            policy=policy,
            profile=profile,
            trials=trials,
            trials_file=trials_file,
            cache=open_cache(no_cache),
            progress=progress,
        )
        outputs, timelines = run_frames(session, feeds, repeat)
        names = tuple(devices.devices)
    tell_added(profile, session.profile)
    tell_ages(session.profile_age_s, session.plan_age_s)
    explanation = _explained(session, names, timelines) if explained else None
    comparison = compare_with_whole(model, feeds, outputs) if compare else None
    effect = effect_on_outputs(compare_with, feeds, outputs) if compare_with else None
    if save:
        _write_outputs(save, outputs)
    if json:
        summary = choice_summary(network, session.choice) | run_summary(session.choice, session.predicted, timelines)
        summary |= costs_summary(session.measurement_costs)
        print_json(summary | {"comparison": comparison, "effect": effect, "explanation": explanation})
    else:
        _show(session, timelines, comparison)
        if effect is not None:
            output.print(effect_line(effect))
        if explanation is not None:
            _print_explanation(explanation)


def run_frames(
    session: InferenceSession, feeds: Mapping[str, Array], repeat: int
) -> tuple[dict[str, Array], list[Timeline]]:
    """The outputs of the last of several frames, by name, and every frame's timeline."""
    names = [port.name for port in session.get_outputs()]
    timelines: list[Timeline] = []
    outputs: list[Array] = []
    for _ in range(repeat):
        outputs = session.run(None, feeds)
        timelines.append(session.measured)
    return dict(zip(names, outputs, strict=True)), timelines


def comparison_line(comparison: Comparison) -> str:
    """The difference from ONNX Runtime on the whole model, in words."""
    if comparison.max_absolute == 0:
        return "outputs equal ONNX Runtime's on the whole model bit for bit"
    return (
        f"largest difference from ONNX Runtime on the whole model: {comparison.max_absolute:.3g}, "
        f"{comparison.max_relative:.3g} of the largest value"
    )


def effect_line(effect: Effect) -> str:
    """What a change of the model does to its outputs, in words."""
    line = (
        f"outputs differ from the original's by at most {effect.difference.max_relative:.2g} of the largest value "
        f"({effect.difference.max_absolute:.3g})"
    )
    if not effect.rankings:
        return line
    best, best_five = (f"{same} of {effect.rankings}" for same in (effect.same_best, effect.same_best_five))
    return f"{line}; the best class is the same in {best}, the best five in {best_five}"


def _show(session: InferenceSession, timelines: Sequence[Timeline], comparison: Comparison | None) -> None:
    output.print(decision_line(session.choice))
    output.print(timeline_table(session.predicted, timelines[-1], session.model, session.choice))
    if len(timelines) > 1:
        latencies_ms = [timeline.latency_s * 1e3 for timeline in timelines]
        output.print(
            f"{len(timelines)} frames: median {median(latencies_ms):.2f} ms, "
            f"from {min(latencies_ms):.2f} to {max(latencies_ms):.2f} ms"
        )
    if warning := overrun_line(timelines):
        output.print(warning)
    print_timeline(timelines[-1])
    if comparison is not None:
        output.print(comparison_line(comparison))


def _explained(session: InferenceSession, devices: tuple[str, ...], timelines: Sequence[Timeline]) -> Explanation:
    """The frame of median latency beside the prediction."""
    planning = Planning(session.model, session.profile, devices)
    by_latency = sorted(timelines, key=lambda timeline: timeline.latency_s)
    median_frame = by_latency[len(by_latency) // 2]
    return explain(session.model, planning.demand, planning.costs, session.programs, median_frame)


def _print_explanation(explanation: Explanation) -> None:
    """Where the time went, what could not be beaten, and what would help."""
    output.print(breakdown_table(explanation))
    output.print(bound_line(explanation))
    output.print(what_if_line(explanation))


def _write_outputs(path: Path, outputs: Mapping[str, Array]) -> None:
    """As `np.savez`, which cannot write an output named `file`."""
    try:
        with ZipFile(path, "w") as archive:
            for name, array in outputs.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    write_array(file, array, allow_pickle=False)
    except OSError as exc:
        raise InputError(f"the outputs cannot be written to {path}: {exc.strerror}") from exc
