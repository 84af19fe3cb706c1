"""How far answers are from each other, and what a changed model does to them."""

import numpy as np
import pytest

from legion.errors import InputError
from legion.model.onnx_import import halve_messages
from legion.session.compare import Comparison, compare, effect, effect_of_change, effect_on_outputs
from support.networks import small


def scores(*values: float) -> dict[str, np.ndarray]:
    return {"scores": np.array([values], np.float32)}


BEFORE = scores(1, 2, 3, 4, 5, 6, 8)


def test_equal_answers() -> None:
    same = effect([BEFORE, BEFORE], [BEFORE, BEFORE])
    assert same.difference == Comparison(max_absolute=0, max_relative=0)
    assert (same.inputs, same.rankings, same.same_best, same.same_best_five) == (2, 2, 2, 2)


def test_the_largest_differences_over_all_inputs() -> None:
    changed = effect([BEFORE, scores(1, 2, 3, 4, 5, 6, 6), scores(1, 2, 3, 4, 5, 6.5, 8)], [BEFORE] * 3)
    assert changed.difference.max_absolute == 2
    assert changed.difference.max_relative == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("after", "same_best", "same_best_five"),
    [
        (scores(1, 2, 3, 4, 5, 7, 7.5), 1, 1),
        (scores(1, 2, 3, 4, 6, 8, 7), 0, 1),  # other order
        (scores(1, 3, 2, 4, 5, 6, 8), 1, 0),  # another fifth
        (scores(8, 2, 3, 4, 5, 6, 1), 0, 0),
    ],
)
def test_best_classes(after: dict[str, np.ndarray], same_best: int, same_best_five: int) -> None:
    changed = effect([after], [BEFORE])
    assert (changed.rankings, changed.same_best, changed.same_best_five) == (1, same_best, same_best_five)


@pytest.mark.parametrize(
    ("shape", "rankings"), [((3, 8), 3), ((2, 8, 1, 1), 2), ((1, 5), 0), ((1, 8, 2, 1), 0), ((8,), 0), ((), 0)]
)
def test_only_class_scores_are_ranked(shape: tuple[int, ...], rankings: int) -> None:
    answer = {"output": np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
    assert effect([answer], [answer]).rankings == rankings


def test_outputs_meet_by_their_names() -> None:
    two = {"first": BEFORE["scores"], "second": -BEFORE["scores"]}
    same = effect([dict(reversed(two.items()))], [two])
    assert (same.rankings, same.same_best) == (2, 2)
    assert effect([BEFORE], [BEFORE | two]).rankings == 1


def test_numbers_that_are_no_longer_finite() -> None:
    assert compare(scores(1, np.inf), scores(1, 2)).max_absolute == np.inf
    assert compare(scores(1, np.nan), scores(1, 2)).max_absolute == np.inf


def test_outputs_beside_the_originals() -> None:
    network = small("vgg16")
    beside = effect_on_outputs(network.content, network.feeds, network.expected)
    assert (beside.inputs, beside.rankings, beside.same_best_five, beside.difference.max_absolute) == (1, 1, 1, 0)
    with pytest.raises(InputError, match=r"no outputs \['other'\]"):
        effect_on_outputs(network.content, network.feeds, {"other": network.expected["output"]})
    with pytest.raises(InputError, match="feeds"):
        effect_on_outputs(network.content, {"other": network.feeds["input"]}, network.expected)


def test_half_precision_between_layers() -> None:
    network = small("vgg16")
    changed = effect_of_change(network.content, halve_messages(network.content), [network.feeds])
    assert 0 < changed.difference.max_relative < 3e-3
    assert (changed.inputs, changed.rankings) == (1, 1)
