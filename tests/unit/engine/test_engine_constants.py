"""Constants: synthetic ones are the same everywhere and of a sane range, stored ones are held to their type."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.engine.constants import constant_values, synthetic_constant
from legion.errors import InfeasibleError, InputError
from legion.geometry.local_graph import LocalConstant
from legion.model.model import Array


def constant(shape: tuple[int, ...], dtype: str = "float32", digest: str | None = None) -> LocalConstant:
    return LocalConstant(name="c", shape=shape, dtype=dtype, digest=digest)


shapes = st.lists(st.integers(0, 7), max_size=4).map(tuple)


@given(shapes, st.sampled_from(["float16", "float32", "float64", "int64", "bool"]))
def test_synthetic_constants_are_deterministic_and_normal(shape: tuple[int, ...], dtype: str) -> None:
    values = synthetic_constant(constant(shape, dtype))
    assert (values.shape, values.dtype) == (shape, np.dtype(dtype))
    np.testing.assert_array_equal(values, synthetic_constant(constant(shape, dtype)))
    if values.dtype.kind == "f":
        assert (np.abs(values) > 0.01).all()
        assert (np.abs(values) < 2).all()


def test_synthetic_constants_of_different_shapes_differ() -> None:
    narrow, wide = (synthetic_constant(constant((4, extent))) for extent in (5, 6))
    assert not np.array_equal(narrow, wide[:, :5])


@pytest.mark.parametrize("shape", [(64, 64, 3, 3), (4096, 1000), (1000, 4096), (300, 300)])
def test_synthetic_weights_keep_the_size_of_activations(shape: tuple[int, ...]) -> None:
    weights = synthetic_constant(constant(shape)).reshape(shape[0], -1)
    summed = np.random.default_rng(0).standard_normal((50, weights.shape[1])) @ weights.T
    assert 0.2 < summed.std() < 2


def test_synthetic_vectors_can_be_variances() -> None:
    assert (synthetic_constant(constant((5000,))) > 0.1).all()


def test_large_synthetic_constants_repeat_and_fill_their_shape() -> None:
    values = synthetic_constant(constant((3, 50_000)))
    assert np.isfinite(values).all()
    assert (values != 0).all()


def test_synthetic_constants_that_cannot_be() -> None:
    with pytest.raises(InputError, match="negative"):
        synthetic_constant(constant((2, -1)))
    with pytest.raises(InfeasibleError, match="memory"):
        synthetic_constant(constant((1 << 30, 1 << 20)))


def test_stored_values_come_from_the_loader_in_c_order() -> None:
    stored: Array = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    values = constant_values(constant((2, 3), digest="d"), lambda _: stored)
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values, stored)
    scalar = constant_values(constant((), digest="d"), lambda _: np.array(1, np.float32))
    assert scalar.shape == ()


@pytest.mark.parametrize("stored", [np.zeros((2, 3)), np.zeros((3, 2), np.float32), np.zeros(6, np.float32)])
def test_stored_values_of_another_type_are_refused(stored: Array) -> None:
    with pytest.raises(InputError, match="send the weights again"):
        constant_values(constant((2, 3), digest="d"), lambda _: stored)
