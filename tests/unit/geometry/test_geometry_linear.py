"""Gemm and MatMul by rows, columns and batches."""

from geometry_building import check_demand, check_operator, make_model, model_or_reject, node, random_array
from hypothesis import given, settings
from hypothesis import strategies as st


@st.composite
def gemms(draw):
    rows, inner, columns = (draw(st.integers(1, 5)) for _ in range(3))
    transposed = {"transA": draw(st.integers(0, 1)), "transB": draw(st.integers(0, 1))}
    left = (inner, rows) if transposed["transA"] else (rows, inner)
    right = (columns, inner) if transposed["transB"] else (inner, columns)
    addend = draw(st.sampled_from([None, (rows, columns), (columns,), (rows, 1), (1, columns), ()]))
    constants = {"w": random_array(right, 1)}
    names = ["x", "w"]
    if addend is not None:
        constants["c"] = random_array(addend, 2)
        names.append("c")
    attributes = {**transposed, "alpha": 0.5, "beta": draw(st.sampled_from([1.0, 2.0]))}
    feeds = {"x": random_array(left)}
    return make_model([node("Gemm", names, "y", **attributes)], feeds, constants), feeds


@settings(max_examples=40)
@given(st.data())
def test_gemm(data):
    model, feeds = data.draw(gemms())
    check_operator(data, model, feeds)
    check_demand(data, model, feeds, names=tuple(model.layers[0].operators[0].inputs))


MATMULS = [
    ((4, 3), (3, 5)),
    ((2, 4, 3), (3, 5)),
    ((2, 4, 3), (2, 3, 5)),
    ((4, 3), (2, 3, 5)),
    ((2, 1, 4, 3), (3, 3, 2)),
    ((3,), (3, 5)),
    ((4, 3), (3,)),
    ((3,), (3,)),
    ((2, 2, 4, 3), (3,)),
    ((3,), (2, 3, 5)),
]


@settings(max_examples=40)
@given(st.data(), st.sampled_from(MATMULS), st.booleans())
def test_matmul(data, shapes, constant):
    left, right = (random_array(shape, index) for index, shape in enumerate(shapes))
    feeds, constants = ({"a": left}, {"b": right}) if constant else ({"a": left, "b": right}, {})
    model = model_or_reject([node("MatMul", ["a", "b"], "y")], feeds, constants)
    check_operator(data, model, feeds)
    check_demand(data, model, feeds, names=("a", "b"))
