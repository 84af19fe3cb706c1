"""Each layer is left to one or two of equal devices; all have about as much to do."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from legion.geometry.local_graph import LocalGraph
from legion.profile.dealing import dealt
from legion.profile.probes import LayerProbe, ProbePlan
from unit.profile.profile_building import device_profile, layer_sample

NAMES = tuple("abcdefg")
GRAPH = LocalGraph(opset=18, operators=(), inputs=(), outputs=(), constants=())


def plan(works):
    """A probe for each amount of work, by number."""
    probes = (
        LayerProbe(key=f"layer {number}", extent=number, graph=GRAPH, input_shapes=(), work=work)
        for number, work in works.items()
    )
    return {"layers": ProbePlan(probes=tuple(probes), constants={})}


def numbers_of(plans):
    return {probe.extent for each in plans.values() for probe in each.probes}


def known(name, numbers):
    return device_profile(name, layers=[layer_sample(f"layer {number}", number) for number in numbers])


numbers = st.sets(st.integers(1, 9))


@given(
    numbers,
    st.lists(st.sampled_from((0, 1, 2)), min_size=len(NAMES), max_size=len(NAMES)),
    st.dictionaries(st.sampled_from(NAMES), numbers),
)
def test_one_or_two_of_each_class_measure_what_none_of_it_has_been_measured_with(wanted, class_of, has):
    classes = [[name for name, own in zip(NAMES, class_of, strict=True) if own == each] for each in (0, 1, 2)]
    classes = [names for names in classes if names]
    work = dealt(plan(dict.fromkeys(wanted, 1.0)), NAMES, classes, {name: known(name, has[name]) for name in has})
    for names in classes:
        lacked = wanted - {number for name in names for number in has.get(name, ())}
        for number in wanted:
            does = [name for name in names if number in numbers_of(work.get(name, {}))]
            assert len(does) == (0 if number not in lacked else 1 if len(names) <= 2 else 2)
        assert all((name in work) == bool(lacked or name not in has) for name in names)


@given(st.integers(1, 7), st.lists(st.floats(1.0, 1e3), min_size=1, max_size=30))
def test_none_has_more_to_do_than_another_by_over_one_layer(count, works):
    work = dealt(plan(dict(enumerate(works, 1))), NAMES, [NAMES[:count]], {})
    busy = [sum(probe.work for each in plans.values() for probe in each.probes) for plans in work.values()]
    assert len(busy) == count
    assert max(busy) - min(busy) <= max(works) * (1 + 1e-9)


def test_a_layer_is_measured_at_all_extents_by_the_same_devices():
    ladder = [replace(plan({1: 5.0})["layers"].probes[0], extent=extent) for extent in (1, 2, 4)]
    others = plan({2: 9.0, 3: 4.0, 4: 3.0})["layers"].probes
    work = dealt({"layers": ProbePlan(probes=(*ladder, *others), constants={})}, NAMES, [NAMES], {})
    extents = [
        {probe.extent for probe in each["layers"].probes if probe.key == "layer 1"} for each in work.values() if each
    ]
    assert sorted(map(len, extents)) == [0] * (len(extents) - 2) + [3, 3]


def test_those_who_are_not_there_measure_nothing_but_what_they_were_measured_with_counts():
    work = dealt(plan({1: 1.0, 2: 1.0}), ["a"], [["b", "a"], ["c"]], {"b": known("b", [1]), "c": known("c", [])})
    assert {name: numbers_of(each) for name, each in work.items()} == {"a": {2}}
