"""The way from a model to programs and timelines: one public function per stage."""

import logging
from collections.abc import Mapping
from dataclasses import replace

from legion.cost.fit import cost_model
from legion.cost.model import CostModel
from legion.errors import InputError
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.assign import Shares
from legion.plan.compile import compile_plan
from legion.plan.executable import ExecutablePlan
from legion.plan.lower import lower
from legion.plan.program import Program
from legion.plan.scheme import Scheme
from legion.plan.timeline import Timeline
from legion.plan.verify import verify
from legion.policy.base import Choice, Request, Trial
from legion.policy.policies import policy_named
from legion.profile.probes import plan_probes
from legion.profile.samples import MeasurementPolicy, Profile
from legion.profile.store import merged, missing_probes
from legion.profile.training import plan_training
from legion.session.cluster import Cluster
from legion.session.device_profile import measure_device, same_kind
from legion.session.progress import Progress, silent
from legion.simulate.simulate import simulate

_logger = logging.getLogger(__name__)


def profile_devices(  # noqa: PLR0913 - all but two have a default that suits
    model: Model,
    cluster: Cluster,
    *,
    known: Profile | None = None,
    policy: MeasurementPolicy | None = None,
    training: bool = False,
    progress: Progress = silent,
) -> Profile:
    """Measure the single layers of `model` and the links on every device of the cluster.

    Devices are measured one after the other, so that those that share a machine do not disturb each
    other. Only what `known` lacks is measured, or has of another machine or engine under the same name; the
    result holds both. With `training`, so are the layers from
    which policies learn. Raises PeerError, with the device's name, if one fails.
    """
    policy = policy or MeasurementPolicy()
    plans = {"layers": plan_probes(model, Demand(model))}
    if training:
        plans["training"] = plan_training()
    devices = dict(known.devices) if known else {}
    for place, name in enumerate(cluster.devices):

        def report(fraction: float, name: str = name, place: int = place) -> None:
            progress(f"profiling {name}", (place + fraction) / len(cluster.devices))

        before = devices.get(name)
        if before is not None and not same_kind(before.device, cluster.devices[name]):
            _logger.warning("the profile of %s is of another machine or engine; measuring anew", name)
            before = None
        missing = {part: replace(plan, probes=missing_probes(before, plan.probes)) for part, plan in plans.items()}
        missing = {part: plan for part, plan in missing.items() if plan.probes}
        if missing or before is None:
            with cluster.exclusive:
                measured = measure_device(cluster, name, missing, policy, report)
            devices[name] = measured if before is None else merged(before, measured)
    return Profile(devices=devices)


class Planning:
    """One model on the devices of one profile: chooses schemes, and predicts what they take."""

    def __init__(self, model: Model, profile: Profile, devices: tuple[str, ...] | None = None) -> None:
        self.model = model
        self.demand = Demand(model)
        self.devices = devices or tuple(profile.devices)
        self._profile = profile
        self.costs: CostModel = cost_model(model, self.demand, profile, self.devices)
        self._constants = ConstantPool(model)

    def choose(self, policy: str, *, shares: Shares | None = None, trial: Trial | None = None) -> Choice:
        """A policy's scheme. `trial` measures a scheme on the devices; without it prediction alone decides.

        Raises InputError for an unknown policy, InfeasibleError if no plan fits.
        """
        request = Request(
            model=self.model,
            demand=self.demand,
            cost=self.costs,
            profile=self._profile,
            shares=shares,
            trial=trial,
        )
        return policy_named(policy).choose(request)

    def programs(self, scheme: Scheme) -> Mapping[str, Program]:
        """The scheme as verified programs."""
        return _verified(self.model, self.demand, scheme)

    def predict(self, programs: Mapping[str, Program]) -> Timeline:
        """What the programs take by the cost model."""
        return simulate(programs, self.model, self.costs)

    def compile(self, programs: Mapping[str, Program], part: Model | None = None) -> ExecutablePlan:
        """The programs of the model, or of a part of it, made ready to be installed."""
        return compile_plan(part or self.model, programs, self._constants)


def plan_model(
    model: Model, profile: Profile, policy: str = "legion", *, shares: Shares | None = None, trial: Trial | None = None
) -> Choice:
    """A policy's scheme for all devices of a profile, and how it was found. See `Planning.choose`."""
    return Planning(model, profile).choose(policy, shares=shares, trial=trial)


def lower_scheme(model: Model, scheme: Scheme) -> Mapping[str, Program]:
    """The scheme as verified programs, one per node."""
    return _verified(model, Demand(model), scheme)


def simulate_scheme(model: Model, profile: Profile, scheme: Scheme) -> Timeline:
    """The predicted timeline of one frame of a scheme on the devices of a profile."""
    planning = Planning(model, profile)
    return planning.predict(planning.programs(scheme))


def _verified(model: Model, demand: Demand, scheme: Scheme) -> Mapping[str, Program]:
    if scheme.model_digest != model.digest:
        raise InputError("the scheme was made for another model; plan this one")
    programs = lower(model, demand, scheme)
    verify(model, demand, programs)
    return programs
