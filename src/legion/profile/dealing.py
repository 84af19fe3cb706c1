"""Who measures what: equal devices share the work, since a probe tells of all of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import replace

from legion.profile.probes import LayerProbe, ProbePlan
from legion.profile.samples import DeviceProfile
from legion.profile.store import missing_probes

Plans = Mapping[str, ProbePlan]
"""By the part of a profile: layers, training."""

_MEASURING = 2
"""How many devices measure a layer, at most."""


def dealt(
    plans: Plans, devices: Collection[str], classes: Iterable[Sequence[str]], profiles: Mapping[str, DeviceProfile]
) -> Mapping[str, Plans]:
    """By device, in their order, what it is to be measured with, so that each class has all of the plans.

    `devices` are those that can measure, `classes` of equal ones among them and those with a profile. What one of a
    class has been measured with, none of it need be. Each other layer is left to half of those there, and to two at
    most: to two, so that what one of them mismeasures shows in the other; and at all extents, most of which share what
    has to be made ready. All have about as much to do, so that none is waited for. Devices that have a profile, in a
    class that lacks nothing, are left out.
    """
    work: dict[str, Plans] = {}
    for names in classes:
        known = [sample for name in names if name in profiles for sample in profiles[name].layers]
        missing = {part: replace(plan, probes=missing_probes(known, plan.probes)) for part, plan in plans.items()}
        lacked = [probe for plan in missing.values() for probe in plan.probes]
        for name, keys in _shared_out(lacked, [name for name in names if name in devices]).items():
            if lacked or name not in profiles:
                kept = {part: replace(plan, probes=_only(plan.probes, keys)) for part, plan in missing.items()}
                work[name] = {part: plan for part, plan in kept.items() if plan.probes}
    return {name: work[name] for name in devices if name in work}


def _shared_out(probes: Iterable[LayerProbe], names: Sequence[str]) -> Mapping[str, Set[str]]:
    """By device, the keys that it measures: those with the most work first, each to those with the least so far."""
    works: dict[str, float] = {}
    for probe in probes:
        works[probe.key] = works.get(probe.key, 0.0) + probe.work
    chosen: dict[str, set[str]] = {name: set() for name in names}
    busy = dict.fromkeys(names, 0.0)
    count = min(_MEASURING, -(-len(names) // 2))
    for key in sorted(works, key=lambda key: -works[key]):
        for name in sorted(names, key=busy.__getitem__)[:count]:
            busy[name] += works[key]
            chosen[name].add(key)
    return chosen


def _only(probes: Iterable[LayerProbe], keys: Set[str]) -> tuple[LayerProbe, ...]:
    return tuple(probe for probe in probes if probe.key in keys)
