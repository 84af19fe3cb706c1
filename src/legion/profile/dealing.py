"""Who measures what: devices of one kind share the work, since a probe tells of all of them."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from legion.cluster.device import DeviceInfo, same_kind
from legion.profile.probes import LayerProbe, ProbePlan
from legion.profile.samples import DeviceProfile
from legion.profile.statistics import equals
from legion.profile.store import missing_probes

Plans = Mapping[str, ProbePlan]
"""By the part of a profile: layers, training."""

_MEASURING = 2
"""How many devices measure a probe, at most."""

_Key = tuple[str, int]


def lacking(plans: Plans, devices: Sequence[str], profiles: Mapping[str, DeviceProfile]) -> Mapping[str, Plans]:
    """By device, what neither it nor an equal one has been measured with.

    Devices that have a profile and lack nothing are left out.
    """
    equal = equals(profiles)
    found: dict[str, Plans] = {}
    for name in devices:
        known = [sample for other in equal.get(name, ()) for sample in profiles[other].layers]
        missing = {part: replace(plan, probes=missing_probes(known, plan.probes)) for part, plan in plans.items()}
        found[name] = {part: plan for part, plan in missing.items() if plan.probes}
    return {name: missing for name, missing in found.items() if missing or name not in profiles}


def dealt(lacked: Mapping[str, Plans], infos: Mapping[str, DeviceInfo]) -> Mapping[str, Plans]:
    """The same with each probe left to half of the devices of a kind that lack it, and to two at most.

    To two, so that what one of them mismeasures shows in the other. All have about as much to do, so that none is
    waited for, and what slows this kind down for a moment does not look like one of them that is slower. Whether
    devices of a kind are equal is seen afterwards.
    """
    chosen: dict[str, set[_Key]] = {}
    for names in _kinds(lacked, infos):
        chosen |= _shared_out({name: _probes(lacked[name]) for name in names})
    kept = {
        name: {part: replace(plan, probes=_only(plan.probes, chosen[name])) for part, plan in plans.items()}
        for name, plans in lacked.items()
    }
    return {name: {part: plan for part, plan in plans.items() if plan.probes} for name, plans in kept.items()}


def _shared_out(lacked: Mapping[str, Mapping[_Key, LayerProbe]]) -> dict[str, set[_Key]]:
    """By device, the probes that it measures: those with the most work first, each to those with the least so far."""
    probes = {key: probe for of_device in lacked.values() for key, probe in of_device.items()}
    chosen: dict[str, set[_Key]] = {name: set() for name in lacked}
    busy = dict.fromkeys(lacked, 0.0)
    for key, probe in sorted(probes.items(), key=lambda item: -item[1].work):
        candidates = sorted((name for name in lacked if key in lacked[name]), key=lambda name: busy[name])
        for name in candidates[: min(_MEASURING, -(-len(candidates) // 2))]:
            busy[name] += probe.work
            chosen[name].add(key)
    return chosen


def _probes(plans: Plans) -> Mapping[_Key, LayerProbe]:
    return {_key(probe): probe for plan in plans.values() for probe in plan.probes}


def _only(probes: Sequence[LayerProbe], keys: Set[_Key]) -> tuple[LayerProbe, ...]:
    return tuple(probe for probe in probes if _key(probe) in keys)


def _key(probe: LayerProbe) -> _Key:
    return probe.key, probe.extent


def _kinds(names: Mapping[str, object], infos: Mapping[str, DeviceInfo]) -> Sequence[Sequence[str]]:
    kinds: list[list[str]] = []
    for name in names:
        kind = next((kind for kind in kinds if same_kind(infos[kind[0]], infos[name])), None)
        if kind is None:
            kinds.append([name])
        else:
            kind.append(name)
    return kinds
