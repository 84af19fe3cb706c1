"""Each probe is left to one or two of the devices of a kind that lack it; all have about as much to do."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from legion.geometry.local_graph import LocalGraph
from legion.profile.dealing import dealt, lacking
from legion.profile.probes import LayerProbe, ProbePlan
from unit.profile.profile_building import device_profile, layer_sample

NAMES = tuple("abcdefg")
GRAPH = LocalGraph(opset=18, operators=(), inputs=(), outputs=(), constants=())


def plan(numbers):
    probes = (
        LayerProbe(key=f"layer {number}", extent=number, graph=GRAPH, input_shapes=(), work=1.0) for number in numbers
    )
    return {"layers": ProbePlan(probes=tuple(probes), constants={})}


def numbers_of(plans):
    return {probe.extent for each in plans.values() for probe in each.probes}


numbers = st.sets(st.integers(1, 9))


@given(st.dictionaries(st.sampled_from(NAMES), numbers, min_size=1), st.sets(st.sampled_from(NAMES)))
def test_one_or_two_of_each_kind_measure_what_they_lack(lacked, others):
    same = replace(device_profile("a").device, machine="one")
    infos = {name: replace(same, machine="other") if name in others else same for name in NAMES}
    found = {name: numbers_of(plans) for name, plans in dealt({n: plan(s) for n, s in lacked.items()}, infos).items()}
    for kind in (others, set(NAMES) - others):
        for number in range(1, 10):
            could = [name for name in lacked if name in kind and number in lacked[name]]
            does = [name for name in could if number in found[name]]
            assert len(does) == (0 if not could else 1 if len(could) <= 2 else 2)
    assert all(found[name] <= lacked[name] for name in lacked)


@given(st.integers(1, 7), st.lists(st.floats(1.0, 1e3), min_size=1, max_size=30))
def test_none_has_more_to_do_than_another_by_over_one_probe(count, works):
    probes = [
        LayerProbe(key=f"layer {number}", extent=1, graph=GRAPH, input_shapes=(), work=work)
        for number, work in enumerate(works)
    ]
    lacked = {name: {"layers": ProbePlan(probes=tuple(probes), constants={})} for name in NAMES[:count]}
    found = dealt(lacked, dict.fromkeys(NAMES, device_profile("a").device))
    busy = [sum(probe.work for plan in plans.values() for probe in plan.probes) for plans in found.values()]
    assert max(busy) - min(busy) <= max(works) * (1 + 1e-9)


def test_what_an_equal_device_was_measured_with_is_not_lacking():
    def measured(name, *done, reference_s):
        samples = [layer_sample(f"layer {number}", number, references=(reference_s,)) for number in done]
        profile = device_profile(name, layers=samples)
        return replace(profile, device=replace(profile.device, machine="one"))

    profiles = {
        "a": measured("a", 1, 2, reference_s=1.0),
        "b": measured("b", 3, reference_s=1.05),
        "c": measured("c", 3, reference_s=2.0),
    }
    found = lacking(plan(range(1, 5)), ("a", "b", "c", "d"), profiles)
    assert {name: numbers_of(plans) for name, plans in found.items()} == {
        "a": {4},
        "b": {4},
        "c": {1, 2, 4},
        "d": {1, 2, 3, 4},
    }
