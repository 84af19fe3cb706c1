"""A timeline as lines of text, one per node."""

from collections.abc import Sequence

from legion.plan.timeline import Event, Timeline

_MARKS = {"run": "█", "send": ">", "receive": "·"}
_PRECEDENCE = ("run", "send", "receive")
LEGEND = "█ run   > send   · wait   (blank: nothing to do)"


def timeline_lines(timeline: Timeline, *, columns: int = 72) -> tuple[str, ...]:
    """One line per node, `columns` characters for the whole frame, with the node's busy share.

    A character shows what took place in its slice of time: a run before a send before a wait.
    """
    nodes = tuple(dict.fromkeys(event.node for event in timeline.events))
    width = max((len(node) for node in nodes), default=0)
    return tuple(_line(node, timeline, width, columns) for node in nodes)


def busy_s(events: Sequence[Event], node: str) -> float:
    """Seconds that a node spends in runs."""
    return sum(event.end_s - event.start_s for event in events if event.node == node and event.kind == "run")


def _line(node: str, timeline: Timeline, width: int, columns: int) -> str:
    span = max([timeline.latency_s, *(event.end_s for event in timeline.events)])
    cells = [" "] * columns
    for kind in reversed(_PRECEDENCE):
        for event in timeline.events:
            if event.node == node and event.kind == kind:
                first = min(columns - 1, int(event.start_s / span * columns))
                last = min(columns - 1, int(event.end_s / span * columns))
                cells[first : last + 1] = [_MARKS[kind]] * (last + 1 - first)
    share = busy_s(timeline.events, node) / timeline.latency_s
    return f"{node:<{width}} │{''.join(cells)}│ {share:4.0%} running"
