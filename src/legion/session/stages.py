"""The way from a model to programs and timelines: one public function per stage."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from legion.cluster.device import DeviceInfo, same_kind
from legion.cost.fit import cost_model
from legion.cost.model import CostModel
from legion.cost.variation import varied
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
from legion.profile.dealing import dealt
from legion.profile.equality import equal_devices
from legion.profile.probes import ProbePlan, plan_probes
from legion.profile.samples import DeviceProfile, MeasurementPolicy, Profile
from legion.profile.store import merged
from legion.profile.training import plan_training
from legion.session.cluster import Cluster
from legion.session.device_profile import MeasuredLayers, MeasuredProcessor, compare, measure_layers, with_links
from legion.session.progress import Progress, silent
from legion.session.shared_links import measure_shared_links
from legion.simulate.typical import typical_frame

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
    """Measure the single layers of `model` on every device of the cluster, the links, and what devices share of them.

    Devices are compared first: layers are measured on all at once, unless these share this machine, and each layer on
    one or two of equal ones; links one after the other, since they share the controller's ports. Only what `known`
    lacks is measured, or has of another machine or engine under the same name; the result holds both. With `training`,
    so are the layers from which policies learn. Raises PeerError, with the device's name, if one fails.
    """
    policy = policy or MeasurementPolicy()
    plans = {"layers": plan_probes(model, Demand(model))}
    if training:
        plans["training"] = plan_training()
    measured = _believed(known, cluster.devices)
    with cluster.exclusive:
        compared = _compared(cluster, measured, progress)
        infos = {**{name: each.device for name, each in measured.items()}, **cluster.devices}
        classes = equal_devices(infos, {name: each.sample for name, each in compared.items()})
        work = dealt(plans, cluster.devices, classes, measured)
        for name, layers in _measured_layers(cluster, work, policy, progress).items():
            progress(f"measuring the link to {name}", 1.0)
            newer, older = with_links(cluster, name, compared[name], layers, policy), measured.get(name)
            measured[name] = newer if older is None else merged(older, newer)
        profile = replace(known or Profile(devices={}), devices=measured)
        if len(cluster.devices) > 1 and (work or not _were_together(profile, cluster.devices)):
            progress("measuring messages between devices", 1.0)
            shared = measure_shared_links(cluster)
            cost = profile.shared_cost + shared.cost
            profile = replace(profile, ports=shared.ports, ring=shared.ring, shared_cost=cost)
    return profile


def _compared(
    cluster: Cluster, known: Mapping[str, DeviceProfile], progress: Progress
) -> Mapping[str, MeasuredProcessor]:
    """The processors of all devices: those of the cluster that are not known are measured; what is known is free."""
    new = [name for name in cluster.devices if name not in known]
    if new:
        progress(f"comparing {', '.join(new)}", 0.0)
    known_processors = {name: MeasuredProcessor(sample=each.processor) for name, each in known.items()}
    return {**compare(cluster, new), **known_processors}


def _measured_layers(
    cluster: Cluster, missing: Mapping[str, Mapping[str, ProbePlan]], policy: MeasurementPolicy, progress: Progress
) -> Mapping[str, MeasuredLayers]:
    """All devices at once, or one after the other where they would take each other's cores."""
    at_once = [(name,) for name in missing] if cluster.share_machine else [tuple(missing)] if missing else []
    layers: dict[str, MeasuredLayers] = {}
    for names in at_once:
        stage, done = f"profiling {', '.join(names)}", len(layers)

        def report(fraction: float, stage: str = stage, done: int = done, count: int = len(names)) -> None:
            progress(stage, (done + fraction * count) / len(missing))

        layers |= measure_layers(cluster, {name: missing[name] for name in names}, policy, report)
    return layers


def _were_together(profile: Profile, devices: Iterable[str]) -> bool:
    """Whether what devices share of the network was measured with all of these."""
    return profile.ring is not None and set(devices) <= set(profile.ring.devices)


def _believed(known: Profile | None, devices: Mapping[str, DeviceInfo]) -> dict[str, DeviceProfile]:
    """What is known of devices, without those of another machine or engine than bears the name now.

    How much memory they have is what they tell now: samples do not depend on it.
    """
    believed = dict(known.devices) if known else dict[str, DeviceProfile]()
    for name, info in devices.items():
        if name in believed and not same_kind(believed[name].device, info):
            _logger.warning("the profile of %s is of another machine or engine; measuring anew", name)
            del believed[name]
        elif name in believed and believed[name].device.memory_bytes != info.memory_bytes:
            device = replace(believed[name].device, memory_bytes=info.memory_bytes)
            believed[name] = replace(believed[name], device=device)
    return believed


class Planning:
    """One model on the devices of one profile: chooses schemes, and predicts what they take.

    Raises InputError for a model without layers, and where the profile lacks a device or a layer.
    """

    def __init__(self, model: Model, profile: Profile, devices: tuple[str, ...] | None = None) -> None:
        if not model.layers:
            raise InputError(f"{model.name} computes nothing: each of its outputs is one of its inputs, or a constant")
        self.model = model
        self.demand = Demand(model)
        self.devices = devices or tuple(profile.devices)
        self.profile = profile
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
            profile=self.profile,
            shares=shares,
            trial=trial,
            memory_bytes={name: self.profile.devices[name].device.memory_bytes for name in self.devices},
        )
        return policy_named(policy).choose(request)

    def programs(self, scheme: Scheme) -> Mapping[str, Program]:
        """The scheme as verified programs."""
        return _verified(self.model, self.demand, scheme)

    def predict(self, programs: Mapping[str, Program]) -> Timeline:
        """What the programs take by the cost model, in a typical frame."""
        return typical_frame(programs, self.model, varied(self.costs))

    def compile(self, programs: Mapping[str, Program], part: Model | None = None) -> ExecutablePlan:
        """The programs of the model, or of a part of it, made ready to be installed."""
        plan = compile_plan(part or self.model, programs, self._constants)
        return replace(plan, feeding_s_per_byte=self.costs.feeding_s_per_byte)


def plan_model(
    model: Model, profile: Profile, policy: str = "auto", *, shares: Shares | None = None, trial: Trial | None = None
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
