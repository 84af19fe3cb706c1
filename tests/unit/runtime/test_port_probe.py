"""The port's probe runs on devices, and its figures are the spans of the right transfers."""

from legion.plan.scheme import CONTROLLER
from legion.plan.timeline import Event, Timeline
from legion.runtime.port_probe import port_inputs, port_plan, port_samples
from support.memory_cluster import memory_cluster

SIZE_BYTES = 5000


def test_devices_in_memory_answer_the_probe() -> None:
    with memory_cluster(2) as cluster:
        first, second = cluster.devices
        pair = first, second
        plan, timelines = port_plan(pair, SIZE_BYTES), []
        for _ in range(3):
            cluster.run(plan, port_inputs(pair, SIZE_BYTES), ())
            timelines.append(cluster.controller.timeline())
        forth, back = port_samples(pair, SIZE_BYTES, timelines)
    assert (forth.direction, back.direction) == ("set", "get")
    for sample in (forth, back):
        assert sample.alone_s.keys() == sample.together_s.keys() == set(pair)
        assert all(len(seconds) == 3 for seconds in (*sample.alone_s.values(), *sample.together_s.values()))


def test_figures_are_the_spans_of_the_transfers() -> None:
    """Events whose instructions each take a second, on clocks that run in the order of the controller's program."""
    pair = ("a", "b")
    plan = port_plan(pair, SIZE_BYTES)
    begins_s = _order(plan)
    events = tuple(
        Event(
            node=node, instruction=index, kind="send", label="", group=None, size_bytes=0, start_s=at_s, end_s=at_s + 1
        )
        for (node, index), at_s in begins_s.items()
    )
    forth, back = port_samples(pair, SIZE_BYTES, [Timeline(source="measured", latency_s=0.0, events=events)])
    # By the controller's program: alone 0 to 3, together forth 4 and 5, words 6 to 11, together back 12 and 13.
    assert forth.alone_s == {"a": (1.0,), "b": (1.0,)}
    assert back.alone_s == {"a": (1.0,), "b": (1.0,)}
    assert forth.together_s == {"a": (1.0,), "b": (2.0,)}
    assert back.together_s == {"a": (1.0,), "b": (2.0,)}
    assert len(plan.nodes[CONTROLLER].program.instructions) == 14


def _order(plan):
    """When each instruction begins: at its place in the controller's program, at both ends of a transfer."""
    controller = plan.nodes[CONTROLLER].program.instructions
    begins_s = {(CONTROLLER, place): float(place) for place in range(len(controller))}
    for name, node in plan.nodes.items():
        if name != CONTROLLER:
            for index, own in enumerate(node.program.instructions):
                partner = getattr(own, "source", getattr(own, "destination", None))
                assert partner == CONTROLLER
                begins_s[name, index] = next(
                    float(place)
                    for place, each in enumerate(controller)
                    if each.tensor == own.tensor and type(each) is not type(own)
                )
    return begins_s
