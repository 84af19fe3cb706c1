"""The distance of an answer from that of ONNX Runtime on the whole model, in this process."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from legion.engine.whole_model import WholeModel
from legion.errors import InputError
from legion.model.model import Array

_BEST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Over all outputs: the largest absolute difference, and the largest relative to its output's largest value."""

    max_absolute: float
    max_relative: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a change of a model does to its outputs on some inputs.

    `difference` is the largest over all inputs. `rankings` counts the rows of class scores, which are outputs
    (batch, classes) of more than five classes: in `same_best` of them the best class is the same, in `same_best_five`
    the best five are, in any order.
    """

    inputs: int
    difference: Comparison
    rankings: int
    same_best: int
    same_best_five: int


def effect_on_outputs(original: str | Path | bytes, feeds: Mapping[str, Array], outputs: Mapping[str, Array]) -> Effect:
    """Run the original file with ONNX Runtime, and compare `outputs`, of a changed model, with its outputs.

    Raises InputError where it takes no such feeds or has no such outputs.
    """
    expected = _answers(original, [feeds])
    if unknown := sorted(outputs.keys() - expected[0].keys()):
        raise InputError(
            f"the model to compare with has no outputs {unknown}; give the original of the model that is run"
        )
    return effect([outputs], expected)


def effect_of_change(
    original: str | Path | bytes, changed: str | Path | bytes, feeds: Sequence[Mapping[str, Array]]
) -> Effect:
    """Run both files with ONNX Runtime on each of the feeds, at least one, and compare the outputs."""
    return effect(_answers(changed, feeds), _answers(original, feeds))


def effect(answers: Sequence[Mapping[str, Array]], expected: Sequence[Mapping[str, Array]]) -> Effect:
    """How the outputs for each input, at least one, differ from those expected."""
    differences = [compare(there, here) for there, here in zip(answers, expected, strict=True)]
    rankings = [each for there, here in zip(answers, expected, strict=True) for each in _rankings(there, here)]
    return Effect(
        inputs=len(answers),
        difference=Comparison(
            max_absolute=max(each.max_absolute for each in differences),
            max_relative=max(each.max_relative for each in differences),
        ),
        rankings=len(rankings),
        same_best=sum(there[0] == here[0] for there, here in rankings),
        same_best_five=sum(set(there) == set(here) for there, here in rankings),
    )


def compare_with_whole(
    model: str | Path | bytes, feeds: Mapping[str, Array], outputs: Mapping[str, Array]
) -> Comparison:
    """Run the file as it is with ONNX Runtime, and compare `outputs` with its outputs of the same names."""
    return compare(outputs, WholeModel(model).run(feeds))


def compare(outputs: Mapping[str, Array], expected: Mapping[str, Array]) -> Comparison:
    """The largest differences of `outputs` from the outputs of the same names; infinite where shapes differ."""
    absolute = relative = 0.0
    for name, output in outputs.items():
        difference, scale = _distance(output, expected[name])
        absolute = max(absolute, difference)
        relative = max(relative, difference / scale if scale else difference)
    return Comparison(max_absolute=absolute, max_relative=relative)


def _distance(output: Array, expected: Array) -> tuple[float, float]:
    """The largest difference, and the largest absolute value that is expected."""
    if output.shape != expected.shape:
        return float("inf"), 1.0
    if not expected.size or np.array_equal(output, expected, equal_nan=expected.dtype.kind == "f"):
        return 0.0, 1.0
    there, here = expected.astype(np.float64), output.astype(np.float64)
    difference = float(np.max(np.abs(there - here)))
    return (difference if np.isfinite(difference) else float("inf")), float(np.max(np.abs(there)))


def _answers(model: str | Path | bytes, feeds: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
    """The outputs for each of the feeds; the session, which holds all weights twice, ends with it."""
    whole = WholeModel(model)
    return [whole.run(each) for each in feeds]


def _rankings(outputs: Mapping[str, Array], expected: Mapping[str, Array]) -> Iterator[tuple[list[int], list[int]]]:
    """For each row of class scores the best five classes, the best first, and those expected."""
    for name, output in outputs.items():
        if _ranks(output) and output.shape == expected[name].shape:
            yield from zip(_best_classes(output), _best_classes(expected[name]), strict=True)


def _best_classes(scores: Array) -> list[list[int]]:
    by_row = scores.reshape(scores.shape[:2])
    return np.argsort(-by_row, axis=1, kind="stable")[:, :_BEST].tolist()


def _ranks(output: Array) -> bool:
    """Whether an output is class scores: (batch, classes), with or without axes of one element behind."""
    return output.dtype.kind == "f" and output.ndim > 1 and output[0].size == output.shape[1] > _BEST
