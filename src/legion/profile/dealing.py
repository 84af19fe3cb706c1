"""Who measures what: devices of one kind share the work, since a probe tells of all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from legion.cluster.device import DeviceInfo, same_kind
from legion.profile.probes import ProbePlan
from legion.profile.samples import DeviceProfile
from legion.profile.statistics import equals
from legion.profile.store import missing_probes

Plans = Mapping[str, ProbePlan]
"""By the part of a profile: layers, training."""

_SEED = 0


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
    """The same with each probe left to half of the devices of a kind that lack it, drawn at random.

    Half, so that of three or more what one of them mismeasures shows in another. Whether devices of a kind are equal is
    seen afterwards.
    """
    random = Random(_SEED)
    chosen: set[tuple[str, str, int]] = set()
    for names in _kinds(lacked, infos):
        who: dict[tuple[str, int], list[str]] = {}
        for name in names:
            for plan in lacked[name].values():
                for probe in plan.probes:
                    who.setdefault((probe.key, probe.extent), []).append(name)
        for (key, extent), candidates in who.items():
            chosen.update((name, key, extent) for name in random.sample(candidates, -(-len(candidates) // 2)))
    kept = {
        name: {
            part: replace(
                plan, probes=tuple(probe for probe in plan.probes if (name, probe.key, probe.extent) in chosen)
            )
            for part, plan in plans.items()
        }
        for name, plans in lacked.items()
    }
    return {name: {part: plan for part, plan in plans.items() if plan.probes} for name, plans in kept.items()}


def _kinds(names: Mapping[str, object], infos: Mapping[str, DeviceInfo]) -> Sequence[Sequence[str]]:
    kinds: list[list[str]] = []
    for name in names:
        kind = next((kind for kind in kinds if same_kind(infos[kind[0]], infos[name])), None)
        if kind is None:
            kinds.append([name])
        else:
            kind.append(name)
    return kinds
