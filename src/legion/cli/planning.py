"""`legion plan` and `legion simulate`: choose a scheme, and predict its timeline."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from legion.cli.caching import NoCache, open_cache, tell_added, tell_ages
from legion.cli.console import output, print_json, print_timeline, progress_bar
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
    asks_devices,
    check_trials,
    open_cluster,
    read_model,
)
from legion.cost.matrices import Matrices, build_matrices
from legion.policy.base import Choice
from legion.policy.policies import policy_named
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.store import read_profile
from legion.report.explain import explain
from legion.report.explanation_text import bound_line
from legion.report.summaries import choice_summary, costs_summary, matrices_summary
from legion.report.tables import MatrixName, decision_line, matrix_table, plan_tables
from legion.session.inference_session import InferenceSession
from legion.session.reuse import choose_once, profile_once
from legion.session.stages import Planning

MatrixNames = Annotated[
    list[MatrixName] | None, typer.Option("--matrix", help="Show a matrix; may be given more than once.")
]


def plan(
    model: ModelFile,
    cluster: ClusterFile = None,
    local: Local = None,
    known: ProfileFile = None,
    policy: PolicyName = "auto",
    trials: Trials = True,
    trials_file: TrialsFile = None,
    no_cache: NoCache = False,
    matrix: MatrixNames = None,
    batch: Batch = 1,
    size: Sizes = None,
    json: Json = False,
) -> None:
    """Choose a scheme: the groups, the shares, what each group is predicted to take, and what decided.

    With --profile alone no device is needed, and prediction alone decides.
    """
    on_devices = asks_devices(known, cluster, local)
    check_trials(trials and on_devices, trials_file)
    network = read_model(model, batch, size)
    profile = read_profile(known) if known else None
    kept = open_cache(no_cache)
    costs: Mapping[str, MeasurementCost] = {}
    if profile is not None and not on_devices:
        planning = Planning(network, profile)
        chosen = choose_once(planning, policy, kept)
        choice = chosen.choice
        tell_ages(None, chosen.age_s)
    else:
        with open_cluster(cluster, local) as devices, progress_bar() as progress:
            session = InferenceSession(
                network,
                cluster=devices,
                policy=policy,
                profile=profile,
                trials=trials,
                trials_file=trials_file,
                cache=kept,
                progress=progress,
            )
            choice, costs = session.choice, session.measurement_costs
            planning = Planning(network, session.profile, tuple(devices.devices))
        tell_added(profile, session.profile)
        tell_ages(session.profile_age_s, session.plan_age_s)
    matrices = _matrices(planning, choice, matrix or ())
    explanation = None
    if choice.bound_s is not None:
        explanation = explain(network, planning.demand, planning.costs, planning.programs(choice.scheme))
    if json:
        summary = choice_summary(network, choice) | costs_summary(costs) | {"explanation": explanation}
        print_json(summary | matrices_summary(matrices))
        return
    for table in plan_tables(network, choice):
        output.print(table)
    output.print(decision_line(choice))
    if explanation is not None:
        output.print(bound_line(explanation))
    for name, those in matrices.items():
        for table in matrix_table(network, those, name):
            output.print(table)


def _matrices(planning: Planning, choice: Choice, names: Sequence[MatrixName]) -> Mapping[MatrixName, Matrices]:
    """Where to find each; made for the choice's shares, where its policy made none."""
    if not names:
        return {}
    matrices = choice.matrices or build_matrices(planning.model, planning.demand, planning.costs, choice.shares)
    return dict.fromkeys(names, matrices)


def simulate(
    model: ModelFile,
    cluster: ClusterFile = None,
    local: Local = None,
    known: ProfileFile = None,
    policy: PolicyName = "auto",
    no_cache: NoCache = False,
    batch: Batch = 1,
    size: Sizes = None,
    json: Json = False,
) -> None:
    """Predict the timeline of one frame; with --profile alone no device is needed."""
    network = read_model(model, batch, size)
    given = profile = read_profile(known) if known else None
    kept, profile_age_s, names = open_cache(no_cache), None, None
    if profile is None or asks_devices(known, cluster, local):
        training = policy_named(policy).learns
        with open_cluster(cluster, local) as devices, progress_bar() as progress:
            profiled = profile_once(network, devices, kept, known=profile, training=training, progress=progress)
            names = tuple(devices.devices)
        profile, profile_age_s = profiled.profile, profiled.age_s
        tell_added(given, profile)
    planning = Planning(network, profile, names)
    chosen = choose_once(planning, policy, kept)
    tell_ages(profile_age_s, chosen.age_s)
    timeline = planning.predict(planning.programs(chosen.choice.scheme))
    if json:
        print_json(asdict(timeline))
        return
    output.print(f"predicted latency {timeline.latency_s * 1e3:.1f} ms")
    print_timeline(timeline)
