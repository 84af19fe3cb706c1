"""The cost model of a profile: what it adds up, and what it refuses to guess."""

from dataclasses import replace

import pytest
from cost_building import chain_model, loaded, residual_model
from onnx import helper

from legion.cost.exchange import exchange_costs_s
from legion.cost.fit import cost_model
from legion.cost.layer_cost import NO_SAVING, Saving
from legion.cost.link_cost import between
from legion.cost.shares import performance_shares, whole_model_s
from legion.errors import InputError
from legion.geometry.box import Box
from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.model.signature import layer_signature
from legion.plan.scheme import CONTROLLER
from legion.profile.joined import joined_layers
from legion.profile.ports import PortSample
from legion.profile.probes import CALL
from legion.profile.samples import Profile
from unit.profile.profile_building import random_profile

DEVICES = ("a", "b", "c")


@pytest.fixture(scope="module")
def chain():
    model = chain_model()
    demand = Demand(model)
    profile = random_profile(model, demand, DEVICES)
    return model, demand, profile, cost_model(model, demand, profile, DEVICES)


def test_a_measured_extent_costs_what_was_measured(chain):
    model, _, profile, cost = chain
    whole = Box.whole(model.tensors[model.layers[0].outputs[0]].shape)
    key = layer_signature(model, 0)
    samples = {sample.extent: sample.seconds[0] for sample in profile.devices["b"].layers if sample.key == key}
    assert len(samples) > 3
    for extent, seconds in samples.items():
        assert cost.layer_s("b", 0, whole.replace(2, (0, extent))) == pytest.approx(seconds)
        assert cost.layer_s("b", 0, whole.replace(2, (0, extent)).replace(3, (0, 10))) == pytest.approx(seconds / 4)


def test_a_segment_costs_its_layers_on_the_boxes_computed_less_what_inner_images_save(chain):
    model, demand, _, cost = chain
    output = model.layers[3].outputs[0]
    box = Box.whole(model.tensors[output].shape).replace(2, (2, 5))
    segment = build_segment(demand, range(4), {output: box})
    outputs = [model.layers[layer].outputs[0] for layer in range(4)]
    alone = [cost.layer_s("a", layer, segment.boxes[output]) - cost.call_s["a"] for layer, output in enumerate(outputs)]
    assert cost.call_s["a"] > 0 < min(alone)
    inner_bytes = sum(segment.boxes[output].volume * 4 for output in outputs[:3])
    for saved_s_per_byte, expected in (
        (0.0, sum(alone)),
        (1e-3 * sum(alone) / inner_bytes, 0.999 * sum(alone)),
        (1e6 * sum(alone) / inner_bytes, 0.2 * sum(alone[:3]) + alone[3]),  # never more than four fifths of a layer
    ):
        saving = replace(cost, savings={"a": Saving(tile_s=saved_s_per_byte, whole_s=saved_s_per_byte)})
        assert saving.run_s("a", segment) == pytest.approx(expected + cost.call_s["a"])


@pytest.fixture(scope="module")
def calls_alone(chain):
    """The cost model where layers run as one save all calls but one, and no more."""
    *_, profile, cost = chain
    (call_s,) = (sample.seconds[0] for sample in profile.devices["a"].layers if sample.key == CALL)
    return replace(cost, savings=dict.fromkeys(DEVICES, NO_SAVING), call_s=dict.fromkeys(DEVICES, call_s))


def profile_where_joined(chain, together_s):
    """Device a, on which layers joined were run many times and took what `together_s` says of their segment."""
    model, demand, profile, _ = chain
    segments = {each.key: each.segment for each in joined_layers(model, demand)}

    def changed(sample):
        if sample.key not in segments:
            return sample
        seconds = (together_s(segments[sample.key]),) * 1000
        return replace(sample, seconds=seconds, reference_s=sample.reference_s * 1000)

    device = profile.devices["a"]
    return Profile(devices={"a": replace(device, layers=tuple(map(changed, device.layers)))})


@pytest.mark.parametrize("saved_s_per_byte", [0.0, 3e-9])
def test_what_images_save_is_found_from_layers_joined(chain, calls_alone, saved_s_per_byte):
    def together_s(segment):
        return calls_alone.run_s("a", segment) - calls_alone.kept_bytes(segment) * saved_s_per_byte

    found = cost_model(*chain[:2], profile_where_joined(chain, together_s), ("a",))
    saving = found.savings["a"]
    assert (saving.tile_s, saving.whole_s) == pytest.approx((saved_s_per_byte, saved_s_per_byte), abs=1e-15)
    assert found.call_s["a"] == pytest.approx(calls_alone.call_s["a"])


@pytest.mark.parametrize("faster", [1.0, 0.9, 0.7])
def test_the_stretch_that_was_measured_whole_takes_what_was_measured(chain, calls_alone, faster):
    model, demand, *_ = chain
    stretch = joined_layers(model, demand)[0].segment

    def together_s(segment):
        return calls_alone.run_s("a", segment) * (faster if segment == stretch else 1.0)

    found = cost_model(model, demand, profile_where_joined(chain, together_s), ("a",))
    assert found.run_s("a", stretch) == pytest.approx(together_s(stretch), rel=1e-6)
    assert found.savings["a"].tile_s == pytest.approx(0.0, abs=1e-15)
    assert found.call_s["a"] == pytest.approx(calls_alone.call_s["a"])


def test_what_a_byte_saves_lies_between_a_tile_and_the_whole():
    saving = Saving(tile_s=1.0, whole_s=4.0)
    assert [saving.at(fraction) for fraction in (0.01, 0.25, 0.5, 1.0)] == [1.0, 1.0, 2.0, 4.0]


def test_joints_that_save_more_than_a_mere_call_are_believed_between_both(chain, calls_alone):
    call_s = calls_alone.call_s["a"]

    def together_s(segment):
        return calls_alone.run_s("a", segment) - (len(segment.layers) - 1) * call_s

    found = cost_model(*chain[:2], profile_where_joined(chain, together_s), ("a",))
    assert call_s < found.call_s["a"] < 2 * call_s


def test_links_follow_the_ports(chain):
    *_, cost = chain
    assert cost.link(CONTROLLER, "a") == cost.ports["a"].inward
    assert cost.link("a", CONTROLLER) == cost.ports["a"].outward
    assert cost.link("a", "b") == between(cost.ports["a"], cost.ports["b"])


def test_a_faster_port_of_the_controllers_is_filled_for_a_fraction(chain):
    model, demand, profile, cost = chain
    assert cost.feeding_s_per_byte is None
    alone = {device: (ports.inward, ports.outward) for device, ports in cost.ports.items()}
    slowest = max(alone, key=lambda device: alone[device][0].seconds_per_byte)
    inward, outward = alone[slowest]

    def together(direction, seconds):
        """A kilobyte of each device, which together take so much longer than one of them."""
        return PortSample(
            direction=direction,
            size_bytes=1000,
            alone_s=dict.fromkeys(DEVICES, (1.0,)),
            together_s=dict.fromkeys(DEVICES, (1.0 + seconds,)),
        )

    other_bytes = 1000 * (len(DEVICES) - 1)
    samples = (
        together("set", other_bytes * inward.seconds_per_byte / 4),
        together("get", other_bytes * outward.seconds_per_byte / 8),
    )
    found = cost_model(model, demand, replace(profile, ports=samples), DEVICES)
    assert found.link(CONTROLLER, slowest) == replace(inward, outward_fraction=pytest.approx(0.25))
    assert found.link(slowest, CONTROLLER) == replace(outward, inward_fraction=pytest.approx(0.125))
    assert found.link("a", "b") == cost.link("a", "b")
    assert found.feeding_s_per_byte == pytest.approx(inward.seconds_per_byte / 4)


def copying(profile, bytes_per_s, handling_s):
    processor = replace(profile.processor, assembling_s=0.5, copy_bytes_per_s=bytes_per_s)
    return replace(profile, processor=processor, handling_s=handling_s)


def test_the_controller_copies_as_fast_as_the_fastest_device(chain):
    model, demand, profile, _ = chain
    devices = dict(profile.devices)
    devices["a"] = copying(devices["a"], 8e9, handling_s=9e-4)
    devices["b"] = copying(devices["b"], 2e9, handling_s=1e-4)
    cost = cost_model(model, demand, Profile(devices=devices), ("a", "b"))
    assert cost.copy_s(CONTROLLER, 8_000_000_000) == pytest.approx(1.0)
    assert cost.copy_s("b", 8_000_000_000) == pytest.approx(0.5 + 4.0)


def test_a_message_costs_each_of_its_ends_half_of_what_passing_one_on_takes(chain):
    model, demand, profile, _ = chain
    devices = dict(profile.devices)
    devices["a"] = copying(devices["a"], 8e9, handling_s=9e-4)
    devices["b"] = copying(devices["b"], 2e9, handling_s=1e-4)
    cost = cost_model(model, demand, Profile(devices=devices), ("a", "b"))
    assert [cost.message_s(device) for device in "ab"] == [4.5e-4, 0.5e-4]
    assert cost.message_s(CONTROLLER) == 0.5 * devices["a"].controller_handling_s


def test_equal_devices_copy_and_handle_messages_as_their_median_does(chain):
    model, demand, profile, _ = chain
    equal = {
        name: copying(profile.devices["a"], rate, handling_s)
        for name, rate, handling_s in (("a", 1e9, 5e-4), ("b", 4e9, 1e-4), ("c", 2e9, 2e-4))
    }
    cost = cost_model(model, demand, Profile(devices=equal), ("a", "b"))
    assert {cost.copy_s(device, 2_000_000_000) for device in "ab"} == {0.5 + 1.0}
    assert {cost.message_s(device) for device in "ab"} == {1e-4}


def test_what_was_not_measured_is_an_error_not_zero(chain):
    model, demand, profile, _ = chain
    with pytest.raises(InputError, match="lacks device d"):
        cost_model(model, demand, profile, ("a", "d"))
    for lacking in {sample.key for sample in profile.devices["b"].layers}:
        kept = tuple(sample for sample in profile.devices["b"].layers if sample.key != lacking)
        less = Profile(devices={**profile.devices, "b": replace(profile.devices["b"], layers=kept)})
        with pytest.raises(InputError, match="Device b lacks samples"):
            cost_model(model, demand, less, DEVICES)


def test_layers_of_data_dependent_shape_count_as_free():
    nodes = [helper.make_node("NonZero", ["x"], ["n"]), helper.make_node("Cast", ["n"], ["y"], to=1)]
    model = loaded(nodes, ["y"])
    demand = Demand(model)
    cost = cost_model(model, demand, random_profile(model, demand, ("a",)), ("a",))
    assert whole_model_s(cost, "a") == 0
    assert performance_shares(cost) == {"a": 1.0}


def test_shares_are_in_proportion_to_measured_speed(chain):
    *_, cost = chain
    shares = performance_shares(cost)
    assert tuple(shares) == DEVICES
    assert sum(shares.values()) == pytest.approx(1.0)
    products = [share * whole_model_s(cost, device) for device, share in shares.items()]
    assert products == pytest.approx([products[0]] * len(DEVICES))


def test_one_device_that_exchanges_with_nobody_pays_for_input_layers_and_output():
    model = residual_model()
    demand = Demand(model)
    cost = cost_model(model, demand, random_profile(model, demand, ("a",)), ("a",))
    port = cost.ports["a"]
    size = 40 * 40 * 4 * 4
    transfers = 2 * port.inward.seconds(size) + 2 * port.outward.seconds(size)  # x for two layers; outputs d and a
    assert sum(exchange_costs_s(model, demand, cost, {"a": 1.0})) == pytest.approx(transfers + whole_model_s(cost, "a"))


def test_halos_are_what_is_demanded_beyond_the_own_share(chain):
    model, demand, _, cost = chain
    shares = {"a": 0.5, "b": 0.5}
    # Layer 2 is a 5x5 convolution on 20 rows: each half needs two rows of the other's, of 20 columns and 4 channels.
    halo_bytes = 2 * 20 * 4 * 4
    output = Box.whole(model.tensors[model.layers[2].outputs[0]].shape)
    expected = max(
        cost.ports[device].inward.seconds(halo_bytes) + cost.layer_s(device, 2, output.replace(2, rows))
        for device, rows in (("a", (0, 10)), ("b", (10, 20)))
    )
    assert exchange_costs_s(model, demand, cost, shares)[2] == pytest.approx(expected)
