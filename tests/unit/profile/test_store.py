"""Profiles survive the file; anything else in its place is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.errors import InputError
from legion.geometry.local_graph import LocalGraph
from legion.profile.ports import PortSample
from legion.profile.probes import LayerProbe
from legion.profile.ring import RingSample
from legion.profile.samples import Profile
from legion.profile.store import merged, missing_probes, read_profile, write_profile
from unit.profile.profile_building import device_profile, layer_sample, link_sample

SECONDS = st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=5)


def probe(key, extent):
    graph = LocalGraph(opset=18, operators=(), inputs=(), outputs=(), constants=())
    return LayerProbe(key=key, extent=extent, graph=graph, input_shapes=(), work=1.0)


def sound_profile():
    device = device_profile(layers=[layer_sample()], links=[link_sample(), link_sample("get")])
    alone_s, together_s = (dict.fromkeys(("pi", "nano"), (seconds,)) for seconds in (1.0, 2.0))
    port = PortSample(direction="set", size_bytes=1, alone_s=alone_s, together_s=together_s)
    ring = RingSample(devices=("pi", "nano"), size_bytes=1, seconds=(3.0,))
    return Profile(devices={"pi": device, "nano": device}, ports=(port,), ring=ring)


@given(st.dictionaries(st.text(min_size=1), st.tuples(SECONDS, SECONDS), max_size=3))
def test_reads_what_was_written(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("profile") / "profile.json"
    profile = Profile(
        devices={
            name: device_profile(
                name=name,
                layers=[layer_sample(seconds=layer, references=layer)],
                links=[link_sample("get", seconds=link)],
            )
            for name, (layer, link) in content.items()
        }
    )
    write_profile(profile, path)
    assert read_profile(path) == profile


def corrupted(change, of="devices", which="pi"):
    def apply(text):
        content = json.loads(text)
        change(content["profile"][of][which])
        return json.dumps(content)

    return apply


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda _: "",
        lambda text: text[: len(text) // 2],
        lambda _: "\x00\xff garbage",
        lambda _: "[]",
        lambda _: '{"profile": {"devices": {}}}',
        lambda text: text.replace('"format_version": 5', '"format_version": 99'),
        corrupted(lambda port: port["together_s"].update(pi=[-1.0]), of="ports", which=0),
        corrupted(lambda port: port["together_s"].pop("pi"), of="ports", which=0),
        corrupted(lambda port: port["together_s"].update(pi=[2.0, 2.0]), of="ports", which=0),
        lambda text: text.replace('"format_version": 5', '"format_version": "1"'),
        lambda text: text.replace("    3.0\n", "    -1.0\n"),
        lambda text: text.replace('    "pi",', '    "stranger",'),
        lambda text: text.replace('    "pi",', '    "nano",'),
        corrupted(lambda device: device.pop("links")),
        corrupted(lambda device: device.update(round_trip_s=-1.0)),
        corrupted(lambda device: device["processor"].update(reference_s=[])),
        corrupted(lambda device: device["layers"][0].update(seconds=[])),
        corrupted(lambda device: device["layers"][0].update(seconds=[1.0, 2.0])),
        corrupted(lambda device: device["layers"][0].update(reference_s=[0.0])),
        corrupted(lambda device: device["layers"][0].update(extent=0)),
        corrupted(lambda device: device["links"][0].update(direction="sideways")),
        corrupted(lambda device: device["links"][0].update(seconds=[])),
    ],
)
def test_a_bad_file_is_the_callers_fault(tmp_path, corrupt):
    path = tmp_path / "profile.json"
    write_profile(sound_profile(), path)
    path.write_text(corrupt(path.read_text()))
    with pytest.raises(InputError, match="profile"):
        read_profile(path)


def test_files_that_can_not_be_opened(tmp_path):
    with pytest.raises(InputError, match="can't be read"):
        read_profile(tmp_path / "missing.json")
    with pytest.raises(InputError, match="can't be written"):
        write_profile(sound_profile(), tmp_path)


def test_of_two_measurements_of_the_same_thing_the_newer_counts():
    older = device_profile(
        layers=[layer_sample("a", 4, [1.0]), layer_sample("b", 4, [2.0])], links=[link_sample("set", 10, [1.0])]
    )
    newer = device_profile(layers=[layer_sample("a", 4, [3.0])], links=[link_sample("get", 10, [2.0])], round_trip_s=7)
    both = merged(older, newer)
    assert {(sample.key, sample.extent): sample.seconds for sample in both.layers} == {
        ("a", 4): (3.0,),
        ("b", 4): (2.0,),
    }
    assert {(sample.direction, sample.size_bytes) for sample in both.links} == {("set", 10), ("get", 10)}
    assert both.round_trip_s == 7


def test_only_what_was_not_measured_is_missing():
    probes = (probe("a", 4), probe("a", 8), probe("b", 4))
    assert missing_probes((), probes) == probes
    assert missing_probes([layer_sample("a", 4)], probes) == probes[1:]
