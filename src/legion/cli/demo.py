"""`legion demo`: the whole path on VGG-16 and a photograph, with workers on this machine."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated

import typer

from legion.cli.console import errors, output, print_json, print_timeline, progress_bar
from legion.cli.inputs import Normalization, image_feed
from legion.cli.options import Json
from legion.cli.running import comparison_line
from legion.cost.matrices import build_matrices
from legion.engine.whole_model import WholeModel
from legion.errors import InputError
from legion.model import zoo
from legion.model.model import Array, Model
from legion.model.onnx_import import load_model
from legion.plan.timeline import Timeline
from legion.report.summaries import Summary, choice_summary, run_summary
from legion.report.tables import decision_line, plan_tables, timeline_table
from legion.runtime.serve import available_cores
from legion.session.cluster import local_cluster
from legion.session.compare import Comparison, compare
from legion.session.inference_session import InferenceSession
from legion.session.progress import Progress
from legion.session.stages import Planning

NETWORK = "vgg16"
PHOTOGRAPH = "grace_hopper.jpg"
MAX_WORKERS = 4
ROUNDS = 9
PICTURE = "legion-demo.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """One frame on the workers, and the same frame in this process on the whole model."""

    timeline: Timeline
    alone_s: float
    comparison: Comparison


def demo(
    folder: Annotated[Path, typer.Option("--output", help="Where to write the network and the picture.")] = Path(
        "demo"
    ),
    json: Json = False,
) -> None:
    """Plan VGG-16, run a photograph through it on local workers, compare with ONNX Runtime, and draw what happened.

    As many workers as processor cores, at most four, of one thread each.
    """
    workers = min(MAX_WORKERS, available_cores())
    path = folder / f"{NETWORK}.onnx"
    with progress_bar() as progress:
        model = _network(path, progress)
        feeds = _photograph(model)
        errors.print(
            f"[bold]{NETWORK}[/], {len(model.layers)} layers, on {workers} workers of this machine; the photograph "
            f"{PHOTOGRAPH}, resized to {model.inputs[0].type.shape[3]}x{model.inputs[0].type.shape[2]}",
            markup=True,
        )
        with local_cluster(workers) as cluster:
            session = InferenceSession(model, cluster=cluster, progress=progress)
            rounds = _rounds(session, WholeModel(path), feeds, progress)
    typical = sorted((each.timeline for each in rounds), key=lambda timeline: timeline.latency_s)[len(rounds) // 2]
    if json:
        print_json(_summary(session, rounds))
    else:
        _show(session, typical)
        _show_result(workers, rounds)
    _draw(session, typical, workers, folder / PICTURE)


def _summary(session: InferenceSession, rounds: tuple[_Round, ...]) -> Summary:
    timelines = [each.timeline for each in rounds]
    return {
        **choice_summary(session.model, session.choice),
        **run_summary(session.choice, session.predicted, timelines),
        "alone_s": [each.alone_s for each in rounds],
        "comparison": _worst(rounds),
    }


def _worst(rounds: tuple[_Round, ...]) -> Comparison:
    return max((each.comparison for each in rounds), key=lambda each: each.max_relative)


def _network(path: Path, progress: Progress) -> Model:
    progress(f"writing {NETWORK} with seeded weights", 0.0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(f"the folder {path.parent} cannot be made: {exc.strerror}; choose another") from exc
    zoo.write(NETWORK, path)
    progress(f"reading {NETWORK}", 0.5)
    return load_model(path)


def _photograph(model: Model) -> dict[str, Array]:
    from matplotlib import get_data_path  # noqa: PLC0415 - as below

    path = Path(get_data_path()) / "sample_data" / PHOTOGRAPH
    port = model.inputs[0]
    return {port.name: image_feed(path, port, Normalization.IMAGENET)}


def _rounds(
    session: InferenceSession, whole: WholeModel, feeds: dict[str, Array], progress: Progress
) -> tuple[_Round, ...]:
    """Frames on the workers and alone in turn, so that both meet the same machine; the first round only warms up."""
    rounds: list[_Round] = []
    for index in range(ROUNDS + 1):
        progress("running the photograph on the workers and alone, in turn", index / (ROUNDS + 1))
        outputs = dict(zip((port.name for port in session.get_outputs()), session.run(None, feeds), strict=True))
        timeline = session.measured
        started = perf_counter()
        expected = whole.run(feeds)
        alone_s = perf_counter() - started
        rounds.append(_Round(timeline=timeline, alone_s=alone_s, comparison=compare(outputs, expected)))
    return tuple(rounds[1:])


def _show(session: InferenceSession, timeline: Timeline) -> None:
    for table in plan_tables(session.model, session.choice):
        output.print(table)
    output.print(decision_line(session.choice))
    output.print(timeline_table(session.predicted, timeline, session.model, session.choice))
    print_timeline(timeline)


def _show_result(workers: int, rounds: tuple[_Round, ...]) -> None:
    together_s = median(each.timeline.latency_s for each in rounds)
    alone_s = median(each.alone_s for each in rounds)
    output.print(
        f"[bold]{workers} workers answer in {together_s * 1e3:.1f} ms, ONNX Runtime on one thread in "
        f"{alone_s * 1e3:.1f} ms: {alone_s / together_s:.2f} times as fast[/] (medians of {len(rounds)} rounds)",
        markup=True,
    )
    output.print(comparison_line(_worst(rounds)))


def _draw(session: InferenceSession, timeline: Timeline, workers: int, path: Path) -> None:
    # It takes longer to import than most commands take.
    from legion.report.picture import draw_plan, save_picture  # noqa: PLC0415

    planning = Planning(session.model, session.profile, session.scheme.devices)
    matrices = build_matrices(session.model, planning.demand, planning.costs, session.choice.shares)
    names = [layer.name for layer in session.model.layers]
    title = f"{NETWORK} on {workers} workers of this machine"
    save_picture(draw_plan(title, names, matrices, session.scheme, (session.predicted, timeline)), path)
    errors.print(f"picture: {path}")
