"""What runs inside a cell's lab, as its controller: `python -m bench.paper.inside CLUSTER_FILE JOB_FILE`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec

from bench.paper.candidates import Candidate, Planner, searched_shares
from bench.paper.cells import FSS, Cell
from bench.paper.frames import interleaved
from bench.paper.groups import measured_groups
from bench.paper.results import CellResult, Frames, MeasuredGroup, MeasuredPolicy, OneDevice
from legion.model.model import Model
from legion.model.onnx_import import load_model
from legion.plan.scheme import Scheme
from legion.policy.policies import policy_named
from legion.profile.samples import MeasurementPolicy, Profile
from legion.profile.store import read_profile, write_profile
from legion.session.cluster import Cluster, connect
from legion.session.stages import profile_devices
from legion.session.trial_store import TrialStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A cell to measure: the network's file, the policies, where the profile is kept, and where the result goes."""

    cell: Cell
    network: str
    policies: tuple[str, ...]
    repeat: int
    fss_frames: int
    profile: str
    result: str


def measure(cluster_file: str, job: Job) -> CellResult:
    """Profile, choose, run all plans in turn."""
    model = load_model(job.network)
    with connect(cluster_file) as cluster:
        profile = _profile(model, cluster, job)
        planner = Planner(model, cluster, profile)
        candidates: list[Candidate] = []
        for policy in job.policies:
            begun_s = perf_counter()
            candidates += planner.candidates(policy, job.cell, job.fss_frames)
            print(f"{policy}: chosen in {perf_counter() - begun_s:.1f} s", flush=True)
        one_device, predicted_s = planner.one_device()
        distinct = _distinct(candidates)
        plans = {name: planner.ready(model, scheme) for name, scheme in {"one-device": one_device, **distinct}.items()}
        frames = interleaved(cluster, model, plans, job.repeat)
        baseline = OneDevice(
            device=one_device.devices[0],
            latency_s=frames["one-device"].latency_s,
            median_s=median(frames["one-device"].latency_s),
            predicted_s=predicted_s,
            overrun_s=frames["one-device"].overrun_s,
        )
        return CellResult(
            one_device=baseline,
            policies=tuple(_measured(job.cell, each, distinct, frames, baseline) for each in candidates),
            groups=_groups(planner, job.cell) if FSS in job.policies else (),
        )


def _profile(model: Model, cluster: Cluster, job: Job) -> Profile:
    """The devices' profile, kept in a file: layers first, then what policies learn from."""
    path = Path(job.profile)
    known = read_profile(path) if path.exists() else None
    learns = any(policy_named(policy).learns for policy in job.policies)
    begun_s = perf_counter()
    as_usual = MeasurementPolicy()
    dilated = replace(as_usual, budget_s=as_usual.budget_s * job.cell.time_dilation)
    profile = profile_devices(model, cluster, known=known, training=learns, policy=dilated)
    print(f"profile: {perf_counter() - begun_s:.1f} s", flush=True)
    write_profile(profile, path)
    return profile


def _groups(planner: Planner, cell: Cell) -> tuple[MeasuredGroup, ...]:
    """The groups of the full search."""
    shares = searched_shares(cell, planner.planning)
    return measured_groups(planner.planning, planner.profile, TrialStore(cell.trials), shares)


def _distinct(candidates: Sequence[Candidate]) -> dict[str, Scheme]:
    """The schemes that differ, each by the name of the first policy that has it."""
    schemes: dict[str, Scheme] = {}
    for candidate in candidates:
        scheme = replace(candidate.scheme, policy="")
        if scheme not in schemes.values():
            schemes[candidate.policy] = scheme
    return schemes


def _measured(
    cell: Cell,
    candidate: Candidate,
    distinct: dict[str, Scheme],
    frames: dict[str, Frames],
    baseline: OneDevice,
) -> MeasuredPolicy:
    plan = next(name for name, scheme in distinct.items() if scheme == replace(candidate.scheme, policy=""))
    taken = frames[plan]
    median_s = median(taken.latency_s)
    return MeasuredPolicy(
        policy=candidate.policy,
        model=cell.model,
        devices=cell.devices,
        speedup=baseline.median_s / median_s,
        latency_s=taken.latency_s,
        median_s=median_s,
        overrun_s=taken.overrun_s,
        wire_cpu_s=taken.wire_cpu_s,
        run_s=taken.run_s,
        profiling=candidate.profiling,
        predicted=candidate.predicted,
        groups=candidate.groups,
        shares=tuple(dict(shares) for shares in candidate.shares),
        same_plan_as=None if plan == candidate.policy else plan,
    )


def main() -> None:
    """Do the job, and write its result."""
    cluster_file, job_file = sys.argv[1:]
    job = msgspec.json.decode(Path(job_file).read_bytes(), type=Job)
    Path(job.result).write_bytes(msgspec.json.encode(measure(cluster_file, job)))


if __name__ == "__main__":
    main()
