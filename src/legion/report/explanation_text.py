"""An explanation as a table and sentences for a terminal."""

from rich.table import Table

from legion.report.explain import Explanation

_MEANINGS = {
    "computing_s": "computing, ideally shared",
    "left_out_s": "devices left out",
    "computed_twice_s": "computed twice",
    "thin_tiles_s": "thin tiles, layers run apart",
    "assembling_s": "assembling inputs",
    "beyond_prediction_s": "runs beyond prediction",
    "messages_s": "handing messages over",
    "feeding_s": "waiting to be fed",
    "halos_s": "messages on their way",
    "imbalance_s": "imbalance",
    "outputs_s": "outputs at the end",
}
_WORTH_TELLING_S = 5e-6
_TOLD_CHANGES = 2


def breakdown_table(explanation: Explanation) -> Table:
    """The parts of the predicted latency beside those of the measured one, where there is one, and the difference."""
    measured = explanation.measured
    table = Table(title="where the time goes, averaged over the devices that run something", title_justify="left")
    table.add_column("part", overflow="fold")
    for column in ("predicted", "measured", "difference") if measured else ("predicted",):
        table.add_column(column, justify="right")
    for name, predicted_s in explanation.predicted.parts.items():
        table.add_row(_MEANINGS[name], *_cells(predicted_s, measured.parts[name] if measured else None))
    table.add_section()
    table.add_row("latency", *_cells(explanation.predicted_s, explanation.measured_s))
    return table


def bound_line(explanation: Explanation) -> str:
    """How far the predicted latency is above the lower bound, and in what that consists."""
    bound = explanation.bound
    above_s = explanation.predicted_s - bound.latency_s
    beyond = dict(explanation.predicted.parts)
    del beyond["computing_s"]
    beyond["feeding_s"] -= bound.inward_s
    beyond["outputs_s"] -= bound.outward_s
    parts = sorted(((s, name) for name, s in beyond.items() if abs(s) >= _WORTH_TELLING_S), reverse=True)
    told = ", ".join(f"{_ms(seconds)} {_MEANINGS[name]}" for seconds, name in parts)
    return (
        f"predicted {_ms(explanation.predicted_s)}, {above_s / bound.latency_s:.0%} above the lower bound "
        f"of {_ms(bound.latency_s)}" + (f", of which: {told}" if told else "")
    )


def what_if_line(explanation: Explanation) -> str:
    """The changes that would help most, with what they are predicted to bring."""
    changes = [
        f"{each.change} {_ms(each.latency_s)} ({each.latency_s / explanation.predicted_s - 1:+.1%})"
        for each in explanation.what_ifs[:_TOLD_CHANGES]
    ]
    return f"what would help most, by prediction: {', '.join(changes)}"


def _cells(predicted_s: float, measured_s: float | None) -> tuple[str, ...]:
    if measured_s is None:
        return (_ms(predicted_s),)
    return _ms(predicted_s), _ms(measured_s), f"{(measured_s - predicted_s) * 1e3:+.2f} ms"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"
