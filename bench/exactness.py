"""Split answers against ONNX Runtime on the whole model: every network, policy, number of workers and kind of shares.

Method: real worker processes on loopback, one thread each; seeded inputs; the largest absolute difference
over all outputs, over the largest absolute value of that output. Shares are once equal and once drawn at
random, from 0.05 to 1 before normalising. Costs come from one quick profile per network (one round), the
same for every device: it decides which groups `legion` fuses, not whether answers agree.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from bench.networks import all_networks
from bench.results_file import write_results
from legion.engine.whole_model import WholeModel
from legion.model.onnx_import import load_model
from legion.plan.assign import Shares
from legion.policy.policies import POLICIES
from legion.profile.samples import MeasurementPolicy, Profile
from legion.session.cluster import Cluster, local_cluster
from legion.session.compare import compare
from legion.session.feeds import sample_feeds
from legion.session.inference_session import InferenceSession
from legion.session.stages import profile_devices

WORKERS = (1, 2, 3, 5)
TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    network: str
    workers: int
    policy: str
    shares: str
    groups: int
    max_absolute: float
    max_relative: float

    @property
    def exact(self) -> bool:
        return self.max_relative <= TOLERANCE


def main(only: Annotated[list[str] | None, typer.Option(help="Run these networks alone.")] = None) -> None:
    """Run the matrix and write its results; exit with 1 if any case is beyond the tolerance."""
    console = Console()
    cases: list[Case] = []
    for name, content in all_networks():
        if only and name not in only:
            continue
        for case in _cases(name, content):
            cases.append(case)
            console.print(
                f"{case.network:24} {case.workers} workers {case.policy:7} {case.shares:6} {case.groups:3} groups "
                f"{case.max_relative:.2e}{'' if case.exact else '  NOT EXACT'}"
            )
    worst = max(cases, key=lambda case: case.max_relative)
    summary = {
        "cases": cases,
        "tolerance": TOLERANCE,
        "all_exact": all(case.exact for case in cases),
        "bitwise_equal_cases": sum(case.max_absolute == 0 for case in cases),
        "largest": worst,
    }
    console.print(f"{len(cases)} cases, largest difference {worst.max_relative:.2e} ({worst.network})")
    if not only:
        write_results("exactness", __doc__ or "", summary)
    raise typer.Exit(0 if summary["all_exact"] else 1)


def _cases(name: str, content: bytes) -> Iterator[Case]:
    model = load_model(content)
    feeds = {port.name: sample_feeds(model)[port.name].astype(port.type.dtype) for port in model.inputs}
    expected = WholeModel(content).run(feeds)
    with local_cluster(1) as cluster:
        quick = profile_devices(model, cluster, policy=MeasurementPolicy(rounds=1), training=True)
    for count in WORKERS:
        with local_cluster(count) as cluster:
            profile = _same_for_all(quick, cluster)
            for policy, (kind, shares) in product(POLICIES, _shares(cluster).items()):
                session = InferenceSession(
                    model, cluster=cluster, policy=policy, profile=profile, shares=shares, trials=False
                )
                outputs = dict(zip(expected, session.run(list(expected), feeds), strict=True))
                difference = compare(outputs, expected)
                yield Case(
                    network=name,
                    workers=count,
                    policy=policy,
                    shares=kind,
                    groups=len(session.scheme.groups),
                    max_absolute=difference.max_absolute,
                    max_relative=difference.max_relative,
                )


def _same_for_all(profile: Profile, cluster: Cluster) -> Profile:
    (measured,) = profile.devices.values()
    return Profile(devices={name: replace(measured, device=info) for name, info in cluster.devices.items()})


def _shares(cluster: Cluster) -> dict[str, Shares]:
    names = tuple(cluster.devices)
    drawn = np.random.default_rng(len(names)).uniform(0.05, 1.0, len(names))
    return {
        "equal": dict.fromkeys(names, 1.0),
        "random": {name: float(share) for name, share in zip(names, drawn / drawn.sum(), strict=True)},
    }


if __name__ == "__main__":
    typer.run(main)
