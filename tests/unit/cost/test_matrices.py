"""S, R, E, A and T against literal transcriptions: of the paper on a chain, of segments on graphs."""

import numpy as np
import pytest
from cost_building import CHAIN, CHANNELS, ROWS, apart_model, chain_model, residual_model, whole_model
from hypothesis import given
from hypothesis import strategies as st

from legion.cost.fit import cost_model
from legion.cost.matrices import build_matrices
from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.model.onnx_import.load import load_model
from legion.model.zoo import build
from legion.plan.assign import exported_tensors, share_boxes
from legion.profile.extents import tile
from unit.profile.profile_building import random_profile

MODELS = {
    "chain": chain_model,
    "residual": residual_model,
    "apart": apart_model,
    "computed whole": whole_model,
    "resnet18": lambda: load_model(build("resnet18", size=32).SerializeToString()),
    "mobilenetv2": lambda: load_model(build("mobilenetv2", size=32).SerializeToString()),
}
SHARES = st.lists(st.floats(0.05, 1.0), min_size=1, max_size=4).map(
    lambda parts: {f"d{index}": part / sum(parts) for index, part in enumerate(parts)}
)


class Case:
    def __init__(self, model, shares, seed=0):
        self.model, self.shares = model, shares
        self.demand = Demand(model)
        self.cost = cost_model(
            model, self.demand, random_profile(model, self.demand, tuple(shares), seed), tuple(shares)
        )
        self.matrices = build_matrices(model, self.demand, self.cost, shares)

    def own(self, device, layer):
        tensors = self.model.layers[layer].outputs
        shared = {tensor: share_boxes(self.model, self.demand, layer, tensor, self.shares) for tensor in tensors}
        return {tensor: boxes[device] for tensor, boxes in shared.items() if device in boxes}

    def segment(self, device, first, last):
        """What the device runs of the group first..last, or None."""
        group = tuple(range(first, last + 1))
        flc = [(layer,) for layer in range(first)] + [group]
        flc += [(layer,) for layer in range(last + 1, len(self.model.layers))]
        exported = exported_tensors(self.model, flc)[first]
        wanted = {
            tensor: box for layer in group for tensor, box in self.own(device, layer).items() if tensor in exported
        }
        return build_segment(self.demand, group, wanted) if wanted else None


CHAIN_MODEL = chain_model()


def rows_needed(layer, low, high):
    """The paper's halo, by the textbook formula: rows of the input of one layer of the chain, clamped."""
    _, kernel, stride, padding = CHAIN[layer]
    rows = ROWS
    for _, before_kernel, before_stride, before_padding in CHAIN[:layer]:
        rows = (rows + 2 * before_padding - before_kernel) // before_stride + 1
    return max(0, low * stride - padding), min(rows, (high - 1) * stride - padding + kernel)


@given(SHARES, st.integers(0, 5))
def test_chain_equals_the_papers_formula_to_the_letter(shares, seed):
    case = Case(CHAIN_MODEL, shares, seed)
    m, count = case.matrices, len(CHAIN)
    shapes = [CHAIN_MODEL.tensors[layer.outputs[0]].shape for layer in CHAIN_MODEL.layers]
    expected = np.full((count, count), -1.0)
    for last in range(count):
        for first in range(last + 1):
            costs = []
            for device in shares:
                boxes = [case.own(device, layer).get(CHAIN_MODEL.layers[layer].outputs[0]) for layer in range(count)]
                if any(box is None for box in boxes):
                    return  # without a share of some layer the formula is not defined
                low, high = boxes[last].intervals[2]
                alpha = {}
                for layer in range(last, first - 1, -1):
                    own_low, own_high = boxes[layer].intervals[2]
                    alpha[layer] = (high - low) / (own_high - own_low)
                    low, high = rows_needed(layer, low, high)
                row_low, row_high = rows_needed(first, *boxes[first].intervals[2])
                columns = ROWS if first == 0 else shapes[first - 1][3]
                port = case.cost.ports[device]
                set_s = port.inward.seconds((row_high - row_low) * columns * CHANNELS * 4)
                get_s = port.outward.seconds(boxes[last].volume * 4)
                run_s = [case.cost.layer_s(device, layer, boxes[layer]) for layer in range(count)]
                costs.append(
                    set_s * alpha[first] + sum(run_s[layer] * alpha[layer] for layer in range(first, last + 1)) + get_s
                )
            expected[first, last] = max(costs)
    np.testing.assert_allclose(m.T, expected, rtol=1e-9)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shares", [{"a": 1.0}, {"a": 0.7, "b": 0.3}, {"a": 0.2, "b": 0.5, "c": 0.02, "d": 0.28}])
def test_alpha_is_what_segments_compute(name, shares):
    case = Case(MODELS[name](), shares)
    count = len(case.model.layers)
    for position, device in enumerate(shares):
        for last in range(count):
            for first in {0, last // 2, last}:
                segment = case.segment(device, first, last)
                for layer in range(first, last + 1):
                    computed = case.matrices.A[position, layer, last]
                    output = case.model.layers[layer].outputs[0]
                    own = case.own(device, layer)
                    if segment is None or output not in segment.boxes:
                        assert computed == 0
                    elif own:
                        assert computed == pytest.approx(segment.boxes[output].volume / own[output].volume)
                    else:
                        assert computed > 0
    below = np.tri(count, k=-1, dtype=bool)
    assert (case.matrices.A[:, below] == -1).all()
    assert (case.matrices.T[below] == -1).all()
    assert set(np.unique(case.matrices.A[:, range(count), range(count)])) <= {0.0, 1.0}


@pytest.mark.parametrize("name", MODELS)
def test_costs_of_graphs_count_each_transfer_once(name):
    """T by its definition: tensors from outside by the reader that needs most, those that leave at their own share."""
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    case = Case(MODELS[name](), shares)
    m, model = case.matrices, case.model
    for last in range(len(model.layers)):
        for first in range(last + 1):
            if m.T[first, last] < 0:
                continue
            layers = range(first, last + 1)
            made = {tensor for layer in layers for tensor in model.layers[layer].outputs}
            read = {tensor for layer in layers for tensor in model.layers[layer].inputs}
            after = {tensor for layer in model.layers[last + 1 :] for tensor in layer.inputs}
            after |= {port.name for port in model.outputs}
            costs = []
            for position, device in enumerate(shares):
                port = case.cost.ports[device]
                alpha = m.A[position, :, last]
                total = sum(m.E[position, layer] * alpha[layer] for layer in layers)
                for tensor in read - made:
                    total += max(
                        set_seconds(case, device, layer, tensor) * alpha[layer]
                        for layer in layers
                        if tensor in model.layers[layer].inputs
                    )
                for layer in layers:
                    for tensor, box in case.own(device, layer).items():
                        if tensor in after:
                            total += port.outward.seconds(box.volume * 4)
                costs.append(total)
            assert m.T[first, last] == pytest.approx(max(costs))


def set_seconds(case, device, layer, tensor):
    boxes = case.own(device, layer) or tile(case.model, case.demand, layer, 1)
    box = case.demand.layer(layer, boxes)[tensor]
    return case.cost.ports[device].inward.seconds(box.volume * 4)


def test_groups_of_layers_that_do_not_hang_together_are_infeasible():
    case = Case(apart_model(), {"a": 0.5, "b": 0.5})
    index = {layer.outputs[0]: position for position, layer in enumerate(case.model.layers)}
    feasible = case.matrices.T >= 0
    assert feasible.diagonal().all()
    first, last = sorted((index["pc"], index["pe"]))
    assert last == first + 1
    assert not feasible[first, last]
    assert feasible[0, last]


def test_tensors_read_by_two_layers_hang_them_together():
    case = Case(residual_model(), {"a": 0.5, "b": 0.5})
    index = {layer.outputs[0]: position for position, layer in enumerate(case.model.layers)}
    first, last = sorted((index["a"], index["c"]))
    assert case.matrices.T[first, last] >= 0


def test_what_stays_whole_belongs_to_the_fastest():
    case = Case(apart_model(), {"slow": 0.4, "fast": 0.6})
    last = len(case.model.layers) - 1
    assert case.matrices.A[0, last, last] == 0
    assert case.matrices.A[1, last, last] == 1
    assert case.matrices.R[0, last] == 0
