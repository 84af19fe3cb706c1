import numpy as np
import pytest

from legion.errors import InputError
from legion.session.compare import compare
from legion.session.feeds import check_feeds, sample_feeds, select_outputs
from support.networks import prepared, small

MODEL = small("resnet18").model
GOOD = sample_feeds(MODEL)["input"]


def test_good_feeds_pass_without_a_copy() -> None:
    assert check_feeds(MODEL, {"input": GOOD})["input"] is GOOD


@pytest.mark.parametrize(
    ("feeds", "complaint"),
    [
        ({}, r"missing \['input'\]"),
        ({"input": GOOD, "other": GOOD}, r"unknown \['other'\]"),
        ({"image": GOOD}, r"missing \['input'\], unknown \['image'\]"),
        ({"input": GOOD[:, :, :-1]}, r"shape \[1, 3, 95, 96\], the model wants \[1, 3, 96, 96\]"),
        ({"input": GOOD.astype(np.float64)}, "type float64, the model wants float32"),
        ({"input": GOOD.tolist()}, "not list"),
    ],
)
def test_flaws_are_named(feeds: dict[str, object], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        check_feeds(MODEL, feeds)


def test_samples_are_normal_numbers_or_any_bytes() -> None:
    sample = sample_feeds(prepared("resnet18").model)["input"]
    assert sample.dtype == np.uint8
    assert (sample.min(), sample.max()) == (0, 255)
    assert GOOD.dtype == np.float32
    assert 0.9 < GOOD.std() < 1.1


def test_outputs_by_name() -> None:
    assert [port.name for port in select_outputs(MODEL, None)] == ["output"]
    with pytest.raises(InputError, match=r"\['logits'\] are unknown"):
        select_outputs(MODEL, ["logits"])


def test_differences_are_relative_to_the_largest_value() -> None:
    found = compare({"a": np.array([1.0, -4.0, 2.5])}, {"a": np.array([1.0, -4.0, 2.0])})
    assert (found.max_absolute, found.max_relative) == (0.5, 0.125)
    assert compare({"a": np.array([np.nan])}, {"a": np.array([np.nan])}).max_absolute == 0
    assert compare({"a": np.array([np.nan])}, {"a": np.array([1.0])}).max_absolute == float("inf")
    assert compare({"a": np.zeros(2)}, {"a": np.zeros(3)}).max_relative == float("inf")
