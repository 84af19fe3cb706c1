"""AOFL's predictor (SEC 2019): linear regression per kind of layer, trained on random configurations on each device."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from legion.cost.fit import FREE, model_of_curves, profiles_of
from legion.cost.layer_cost import ExtentCurve
from legion.cost.least_squares import relative_least_squares
from legion.cost.model import CostModel
from legion.errors import InputError
from legion.geometry.demand import Demand
from legion.geometry.work import Kind, Work, layer_work
from legion.model.model import Model
from legion.model.signature import layer_signature
from legion.profile.extents import measurable, measured_extents, tile, whole_extent
from legion.profile.pooling import Points, pooled_seconds
from legion.profile.samples import Profile
from legion.profile.training import training_models

Regression = Mapping[Kind, NDArray[np.float64]]
"""For each kind of layer the seconds per unit of each of its `Work.terms`."""


def learned_cost_model(model: Model, demand: Demand, profile: Profile, devices: Sequence[str]) -> CostModel:
    """A cost model of `devices` whose layers' seconds are predicted from training layers: none of the model's is run.

    Links are regressed on bytes, as everywhere. Raises InputError where a device or its training samples are missing.
    """
    pooled = pooled_seconds(profile.devices)
    regressions = {name: fit_regression(name, pooled[name]) for name in profiles_of(profile, devices)}
    works = [_works(model, demand, layer) for layer in range(len(model.layers))]
    curves = {
        device: tuple(_curve(regression, by_extent) for by_extent in works)
        for device, regression in regressions.items()
    }
    return model_of_curves(model, demand, profile, curves)


def fit_regression(device: str, measured: Points) -> Regression:
    """Least squares of the relative error, no coefficient below zero, over a device's training samples of each kind.

    Raises InputError, with the device's name, where training samples are missing.
    """
    seconds = {(key, extent): s for key, points in measured.items() for extent, s in points}
    samples: dict[Kind, list[tuple[NDArray[np.float64], float]]] = {}
    for probe, work in _training():
        if probe not in seconds:
            raise InputError(f"Device {device} lacks training samples: run `legion profile --training` for it.")
        samples.setdefault(work.kind, []).append((work.terms, seconds[probe]))
    return {
        kind: relative_least_squares(np.array([terms for terms, _ in of_kind]), np.array([s for _, s in of_kind]))
        for kind, of_kind in samples.items()
    }


@cache
def _training() -> tuple[tuple[tuple[str, int], Work], ...]:
    """The key and extent of each training layer's sample, and its work."""
    found: list[tuple[tuple[str, int], Work]] = []
    for model in training_models():
        demand = Demand(model)
        extent = whole_extent(model, demand, 0)
        found.append(
            ((layer_signature(model, 0), extent), layer_work(model, demand, 0, tile(model, demand, 0, extent)))
        )
    return tuple(found)


def _works(model: Model, demand: Demand, layer: int) -> Sequence[tuple[int, Work]]:
    """A layer's work at the extents at which it would be measured, ascending; none where it depends on data."""
    if not measurable(model, layer):
        return ()
    extents = reversed(tuple(measured_extents(model, demand, layer)))
    return [(extent, layer_work(model, demand, layer, tile(model, demand, layer, extent))) for extent in extents]


def _curve(regression: Regression, works: Sequence[tuple[int, Work]]) -> ExtentCurve:
    if not works:
        return FREE
    return ExtentCurve.through([(extent, float(regression[work.kind] @ work.terms)) for extent, work in works])
