"""Hand-computed timelines: one-port contention, full duplex, order, overlap, circular waits.

A message of n bytes fills its ports for n seconds, a Run takes as many seconds as its output has bytes.
"""

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.cost.link_cost import Link
from legion.errors import InternalError
from legion.geometry.box import Box
from legion.geometry.segment import Segment
from legion.model.model import Layer, Model, Operator, Port, TensorType
from legion.plan.program import Program, Receive, Run, Send
from legion.plan.scheme import CONTROLLER
from legion.simulate.simulate import simulate

LENGTH = 100


@dataclass
class SimpleCosts:
    seconds_per_byte: float = 1.0
    latency_s: float = 0.0
    copy_s_per_byte: float = 0.0
    handling_s: float = 0.0
    burst_bytes: float = 0.0
    outward_fraction: float = 1.0
    inward_fraction: float = 1.0

    def run_s(self, _device, segment):
        return sum(box.volume for box in segment.boxes.values())

    def copy_s(self, _node, size_bytes):
        return size_bytes * self.copy_s_per_byte

    def message_s(self, _node):
        return self.handling_s

    def link(self, _source, _destination):
        return Link(
            latency_s=self.latency_s,
            seconds_per_byte=self.seconds_per_byte,
            burst_bytes=self.burst_bytes,
            outward_fraction=self.outward_fraction,
            inward_fraction=self.inward_fraction,
        )


def chain_model(tensors=("x", "y", "z")):
    kind = TensorType(shape=(LENGTH,), dtype="uint8")
    return Model(
        name="chain",
        opset=18,
        layers=tuple(
            Layer(
                name=f"make_{after}",
                operators=(Operator(name=after, op_type="Relu", inputs=(before,), outputs=(after,)),),
                inputs=(before,),
                outputs=(after,),
            )
            for before, after in pairwise(tensors)
        ),
        tensors=dict.fromkeys(tensors, kind),
        constants={},
        inputs=(Port(name=tensors[0], type=kind, dims=(LENGTH,)),),
        outputs=(Port(name=tensors[-1], type=kind, dims=(LENGTH,)),),
        digest="chain",
    )


def box(low, high):
    return Box(((low, high),))


def send(destination, low, high, tensor="x"):
    return Send(tensor=tensor, box=box(low, high), destination=destination)


def receive(source, low, high, tensor="x"):
    return Receive(tensor=tensor, box=box(low, high), source=source)


def run(low, high, layer=0):
    before, after = "xyz"[layer], "xyz"[layer + 1]
    segment = Segment(
        layers=(layer,), inputs={before: box(low, high)}, outputs={after: box(low, high)}, boxes={after: box(low, high)}
    )
    return Run(segment=segment, group=layer, label=f"layer {layer}")


def timeline(costs=None, **instructions):
    programs = {name: Program(node=name, instructions=tuple(listed)) for name, listed in instructions.items()}
    return simulate(programs, chain_model(), costs or SimpleCosts())


def spans(result, node):
    return [(event.start_s, event.end_s) for event in result.events if event.node == node]


def test_three_messages_leave_one_port_one_after_another():
    result = timeline(
        a=[send("b", 0, 1), send("c", 1, 2), send("d", 2, 3)],
        b=[receive("a", 0, 1)],
        c=[receive("a", 1, 2)],
        d=[receive("a", 2, 3)],
    )
    assert spans(result, "a") == [(0, 1), (1, 2), (2, 3)]
    assert [spans(result, node) for node in "bcd"] == [[(0, 1)], [(0, 2)], [(0, 3)]]
    assert result.latency_s == 3
    assert result.source == "predicted"


def three_into_one_port(size, costs=None):
    """From b, c and d to a."""
    parts = {name: (place * size, (place + 1) * size) for place, name in enumerate("bcd")}
    return timeline(
        costs,
        a=[receive(name, *part) for name, part in parts.items()],
        **{name: [send("a", *part)] for name, part in parts.items()},
    )


def test_three_messages_enter_one_port_one_after_another():
    result = three_into_one_port(1)
    assert spans(result, "a") == [(0, 1), (1, 2), (2, 3)]
    assert [spans(result, node) for node in "bcd"] == [[(0, 1)], [(1, 2)], [(2, 3)]]


def test_messages_follow_sooner_from_a_port_that_is_faster_than_their_ways():
    """Four bytes fill it for a second, and are under way for four; by the same way one follows the other."""
    result = timeline(
        SimpleCosts(outward_fraction=0.25),
        a=[send("b", 0, 4), send("c", 4, 8), send("c", 8, 12), send("b", 12, 16)],
        b=[receive("a", 0, 4), receive("a", 12, 16)],
        c=[receive("a", 4, 8), receive("a", 8, 12)],
    )
    assert spans(result, "a") == [(0, 4), (1, 5), (5, 9), (6, 10)]
    assert [spans(result, node) for node in "bc"] == [[(0, 4), (4, 10)], [(0, 5), (5, 9)]]


def test_messages_overlap_on_their_way_into_a_port_that_is_faster():
    result = three_into_one_port(4, SimpleCosts(inward_fraction=0.5))
    assert spans(result, "a") == [(0, 4), (4, 6), (6, 8)]
    assert [spans(result, node) for node in "bcd"] == [[(0, 4)], [(2, 6)], [(4, 8)]]


def test_a_faster_port_has_a_burst_of_its_own():
    """Of 2 bytes at once: the second message waits for its own way only, whose burst it has to itself."""
    result = timeline(
        SimpleCosts(burst_bytes=2.0, outward_fraction=0.5),
        a=[send("b", 0, 4), send("c", 4, 8)],
        b=[receive("a", 0, 4)],
        c=[receive("a", 4, 8)],
    )
    assert spans(result, "a") == [(0, 2), (0, 3)]


def test_a_burst_passes_at_once_and_comes_back_at_the_rate():
    """Of 4 bytes at once: 3 pass, of the next 3 one, 2 need their time; after a run of 3 s 3 pass at once again."""
    result = timeline(
        SimpleCosts(burst_bytes=4.0),
        a=[send("b", 0, 3), send("b", 3, 6), run(6, 11), send("b", 11, 14)],
        b=[receive("a", 0, 3), receive("a", 3, 6), receive("a", 11, 14)],
    )
    assert spans(result, "a") == [(0, 0), (0, 2), (0, 5), (5, 5)]
    assert result.latency_s == 5


def test_the_fuller_of_two_ports_holds_a_message_up():
    """The second and the third message find the way in empty, whoever sends them."""
    result = timeline(
        SimpleCosts(burst_bytes=4.0),
        a=[send("c", 0, 4)],
        b=[send("c", 4, 8)],
        c=[receive("a", 0, 4), receive("b", 4, 8)],
    )
    assert spans(result, "c") == [(0, 0), (0, 4)]


def test_ways_in_and_out_are_independent():
    result = timeline(a=[send("b", 0, 4), receive("b", 4, 8)], b=[send("a", 4, 8), receive("a", 0, 4)])
    assert result.latency_s == 4


def test_a_message_behind_one_that_waits_for_a_busy_port_waits_too():
    result = timeline(
        a=[send("c", 0, 5)],
        b=[send("c", 5, 6), send("d", 6, 7)],
        c=[receive("a", 0, 5), receive("b", 5, 6)],
        d=[receive("b", 6, 7)],
    )
    assert spans(result, "b") == [(5, 6), (6, 7)]
    assert spans(result, "d") == [(0, 7)]


def test_latency_delays_the_arrival_but_not_the_next_message():
    result = timeline(
        SimpleCosts(latency_s=10.0),
        a=[send("b", 0, 1), send("b", 1, 2)],
        b=[receive("a", 0, 1), receive("a", 1, 2)],
    )
    assert spans(result, "a") == [(0, 1), (1, 2)]
    assert spans(result, "b") == [(0, 11), (11, 12)]


def test_a_receive_that_is_there_already_takes_no_time_and_order_of_arrival_is_free():
    result = timeline(a=[send("b", 0, 1), send("b", 1, 3)], b=[receive("a", 1, 3), receive("a", 0, 1)])
    assert spans(result, "b") == [(0, 3), (3, 3)]


def test_gather_compute_scatter_by_way_of_the_controller():
    result = timeline(
        controller=[send("a", 0, 4), send("b", 4, 10), receive("a", 0, 4, "y"), receive("b", 4, 10, "y")],
        a=[receive(CONTROLLER, 0, 4), run(0, 4), send(CONTROLLER, 0, 4, "y")],
        b=[receive(CONTROLLER, 4, 10), run(4, 10), send(CONTROLLER, 4, 10, "y")],
    )
    assert spans(result, "a") == [(0, 4), (4, 8), (8, 12)]
    assert spans(result, "b") == [(0, 10), (10, 16), (16, 22)]
    assert result.latency_s == 22
    runs = [event for event in result.events if event.kind == "run"]
    assert [(event.label, event.group) for event in runs] == [("layer 0", 0), ("layer 0", 0)]


def test_sending_overlaps_with_the_next_run():
    result = timeline(
        a=[run(0, 3), send("b", 0, 3, "y"), run(3, 10), send("b", 3, 10, "y")],
        b=[receive("a", 0, 3, "y"), run(0, 3, 1), receive("a", 3, 10, "y"), run(3, 10, 1)],
    )
    assert spans(result, "a") == [(0, 3), (3, 6), (3, 10), (10, 17)]
    assert spans(result, "b") == [(0, 6), (6, 9), (9, 17), (17, 24)]


def test_what_is_held_in_one_piece_is_not_copied():
    costs = SimpleCosts(copy_s_per_byte=0.5, handling_s=0.25)
    result = timeline(
        costs,
        a=[send("b", 0, 4), run(0, 4), send("b", 0, 4, "y"), send("b", 0, 2, "y")],
        b=[receive("a", 0, 4), run(0, 4), receive("a", 0, 4, "y"), receive("a", 0, 2, "y"), run(0, 4, 1)],
    )
    # a: 4 bytes of x copied to send (2 s) and to run (2 s); y whole as it is, then a part of it (1 s).
    # b: each message is there another 0.25 s later.
    assert spans(result, "a") == [(2.25, 6.25), (2.25, 8.25), (8.5, 12.5), (12.5, 14.5)]
    assert spans(result, "b")[1] == (6.5, 10.5)
    assert spans(result, "b")[-1] == (14.75, 18.75)


def test_a_circular_wait_names_its_nodes():
    with pytest.raises(InternalError, match=r"a for x .* from b; b for x .* from a"):
        timeline(a=[receive("b", 0, 1), send("b", 1, 2)], b=[receive("a", 1, 2), send("a", 0, 1)])


def test_controller_that_does_nothing_ends_at_once():
    assert timeline(controller=[], a=[run(0, 3)]).latency_s == 0


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def gather_and_scatter(sizes, costs):
    edges = [sum(sizes[:place]) for place in range(len(sizes) + 1)]
    parts = [(f"d{place}", edges[place], edges[place + 1]) for place in range(len(sizes))]
    programs = {
        CONTROLLER: Program(
            node=CONTROLLER,
            instructions=(
                *(send(name, low, high) for name, low, high in parts),
                *(receive(name, low, high, "y") for name, low, high in parts),
            ),
        )
    }
    for name, low, high in parts:
        listed = (receive(CONTROLLER, low, high), run(low, high), send(CONTROLLER, low, high, "y"))
        programs[name] = Program(node=name, instructions=listed)
    return simulate(programs, chain_model(), costs)


@given(SIZES, st.floats(0, 5), st.floats(0, 5), st.floats(0, 5))
def test_slower_links_never_help_gather_and_scatter(sizes, latency, seconds_per_byte, extra):
    # True here since every device computes and answers exactly one message.
    base = gather_and_scatter(sizes, SimpleCosts(latency_s=latency, seconds_per_byte=seconds_per_byte))
    later = gather_and_scatter(sizes, SimpleCosts(latency_s=latency + extra, seconds_per_byte=seconds_per_byte))
    assert later.latency_s >= base.latency_s - 1e-9
    assert base.latency_s >= max(sizes) + 2 * latency - 1e-9
    assert base.latency_s >= sum(sizes) * seconds_per_byte + latency - 1e-9


@given(SIZES, st.floats(0, 5), st.floats(0, 1), st.floats(0, 1))
def test_faster_ports_never_hinder_gather_and_scatter(sizes, latency, outward, inward):
    base = gather_and_scatter(sizes, SimpleCosts(latency_s=latency))
    sooner = gather_and_scatter(sizes, SimpleCosts(latency_s=latency, outward_fraction=outward, inward_fraction=inward))
    assert 3 * max(sizes) + 2 * latency - 1e-9 <= sooner.latency_s <= base.latency_s + 1e-9
    free = gather_and_scatter(sizes, SimpleCosts(latency_s=latency, outward_fraction=0, inward_fraction=0))
    assert free.latency_s == pytest.approx(3 * max(sizes) + 2 * latency)


@given(SIZES, st.floats(0, 5), st.floats(0, 5))
def test_deterministic_and_ports_never_carry_two_messages(sizes, latency, seconds_per_byte):
    costs = SimpleCosts(latency_s=latency, seconds_per_byte=seconds_per_byte)
    result = gather_and_scatter(sizes, costs)
    assert result == gather_and_scatter(sizes, costs)
    sends = [event for event in result.events if event.kind == "send"]
    for way in (
        [event for event in sends if event.node == CONTROLLER],
        [event for event in sends if event.label.endswith(CONTROLLER)],
    ):
        ordered = sorted((event.start_s, event.end_s) for event in way)
        assert all(first[1] <= second[0] + 1e-9 for first, second in pairwise(ordered))
