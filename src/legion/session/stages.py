"""The way from a model to programs and timelines: one public function per stage."""

from collections.abc import Mapping
from datetime import UTC, datetime

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
from legion.profile.samples import DeviceProfile, MeasurementPolicy, Profile
from legion.profile.store import merged, missing_probes
from legion.session.cluster import Cluster
from legion.session.progress import Progress, silent
from legion.simulate.simulate import simulate

LINK_SIZES_BYTES = (1_000, 10_000, 100_000, 1_000_000, 4_000_000)
LINK_ROUNDS = 7


def profile_devices(
    model: Model,
    cluster: Cluster,
    *,
    known: Profile | None = None,
    policy: MeasurementPolicy | None = None,
    progress: Progress = silent,
) -> Profile:
    """Measure the single layers of `model` and the links on every device of the cluster.

    Devices are measured one after the other, so that those that share a machine do not disturb each
    other. Only what `known` lacks is measured; the result holds both. Raises PeerError, with the
    device's name, if one fails.
    """
    policy = policy or MeasurementPolicy()
    plan = plan_probes(model, Demand(model))
    devices = dict(known.devices) if known else {}
    for place, name in enumerate(cluster.devices):

        def report(fraction: float, name: str = name, place: int = place) -> None:
            progress(f"profiling {name}", (place + fraction) / len(cluster.devices))

        before = devices.get(name)
        missing = missing_probes(before, plan.probes)
        if not missing:
            continue
        samples = cluster.controller.probe_layers(name, missing, policy, plan.constants, report)
        links, round_trip_s, copy_bytes_per_s = cluster.controller.probe_link(name, LINK_SIZES_BYTES, LINK_ROUNDS)
        measured = DeviceProfile(
            device=cluster.devices[name],
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            policy=policy,
            layers=samples,
            links=links,
            round_trip_s=round_trip_s,
            copy_bytes_per_s=copy_bytes_per_s,
        )
        devices[name] = measured if before is None else merged(before, measured)
    return Profile(devices=devices)


class Planning:
    """One model on the devices of one profile: chooses schemes, and predicts what they take."""

    def __init__(self, model: Model, profile: Profile, devices: tuple[str, ...] | None = None) -> None:
        self.model = model
        self.demand = Demand(model)
        self.devices = devices or tuple(profile.devices)
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

    def compile(self, programs: Mapping[str, Program]) -> ExecutablePlan:
        """The programs made ready to be installed."""
        return compile_plan(self.model, programs, self._constants)


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
