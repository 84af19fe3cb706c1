"""What is encoded comes back; whatever else comes, PeerError alone comes of it."""

import contextlib
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from legion.cluster.device import DeviceInfo
from legion.errors import PeerError
from legion.geometry.box import Box
from legion.geometry.local_graph import InputBuffer, LocalConstant, LocalGraph, LocalInput
from legion.geometry.segment import Segment
from legion.model.model import Operator
from legion.plan.executable import NodePlan, RunStep
from legion.plan.program import Instruction, Program, Receive, Run, Send
from legion.profile.probes import LayerProbe
from legion.profile.samples import LayerSample, MeasurementPolicy
from legion.wire.codec import (
    PROTOCOL_VERSION,
    TensorEncoder,
    VersionError,
    decode_tensor,
    decode_to_controller,
    decode_to_worker,
    encode,
)
from legion.wire.messages import (
    FrameReport,
    Hello,
    Install,
    LayersProbed,
    Ping,
    ProbeLayers,
    PutWeight,
    Record,
    TensorHeader,
    ToController,
    ToWorker,
    Welcome,
)
from legion.wire.plans import from_wire, to_wire

names = st.text(max_size=8)
counts = st.integers(0, 2**62)
boxes = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=4).map(lambda each: Box(tuple(each)))
attributes = st.one_of(
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False),
    names,
    st.lists(st.one_of(st.integers(-5, 5), st.floats(allow_nan=False), names), max_size=3).map(tuple),
)
segments = st.builds(
    Segment,
    layers=st.lists(st.integers(0, 5), max_size=3).map(tuple),
    inputs=st.dictionaries(names, boxes, max_size=2),
    outputs=st.dictionaries(names, boxes, max_size=2),
    boxes=st.dictionaries(names, boxes, max_size=2),
)
graphs = st.builds(
    LocalGraph,
    opset=st.integers(1, 30),
    operators=st.lists(
        st.builds(
            Operator,
            name=names,
            op_type=names,
            inputs=st.lists(names, max_size=2).map(tuple),
            outputs=st.lists(names, max_size=2).map(tuple),
            attributes=st.dictionaries(names, attributes, max_size=3),
        ),
        max_size=2,
    ).map(tuple),
    inputs=st.lists(
        st.builds(
            LocalInput,
            name=names,
            dtype=names,
            dims=st.none() | st.lists(st.none() | st.integers(0, 9), max_size=3).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    outputs=st.lists(names, max_size=2).map(tuple),
    constants=st.lists(
        st.builds(LocalConstant, name=names, shape=st.just((3, 1)), dtype=names, digest=st.none() | names), max_size=2
    ).map(tuple),
)
buffers = st.builds(InputBuffer, tensor=names, box=boxes, fill=st.sampled_from([0.0, -math.inf]), dynamic=st.booleans())
runs = st.builds(Run, segment=segments, group=st.integers(0, 9))
receives = st.builds(Receive, tensor=names, box=boxes, source=names)
sends = st.builds(Send, tensor=names, box=boxes, destination=names)


@st.composite
def node_plans(draw: st.DrawFn) -> NodePlan:
    instructions: list[Instruction] = draw(st.lists(st.one_of(receives, runs, sends), max_size=8))
    some_graphs = draw(st.lists(graphs, min_size=1, max_size=3))
    steps = [
        RunStep(
            graph=draw(st.integers(0, len(some_graphs) - 1)),
            buffers=tuple(draw(st.lists(buffers, max_size=2))),
            outputs=tuple(draw(st.lists(st.tuples(names, boxes), max_size=2))),
        )
        for each in instructions
        if isinstance(each, Run)
    ]
    program = Program(node=draw(names), instructions=tuple(instructions))
    return NodePlan(program=program, graphs=tuple(some_graphs), steps=tuple(steps))


installs = st.builds(
    Install,
    request=counts,
    plan=counts,
    node_plan=node_plans().map(to_wire),
    peers=st.dictionaries(names, names, max_size=2),
    frames_in_flight=st.integers(1, 4),
)
probes = st.builds(
    LayerProbe, key=names, extent=counts, graph=graphs, input_shapes=st.just(((1, 2), ())), work=st.floats(0, 1e12)
)
probings = st.builds(
    ProbeLayers,
    request=counts,
    policy=st.builds(MeasurementPolicy, seed=counts, rounds=counts, budget_s=st.floats(0, 1e3)),
    probes=st.lists(probes, max_size=2).map(tuple),
)
seconds = st.lists(st.floats(0, 9), max_size=3).map(tuple)
samples = st.builds(LayerSample, key=names, extent=counts, seconds=seconds, reference_s=seconds)
infos = st.builds(
    DeviceInfo,
    cores=counts,
    threads=counts,
    memory_bytes=counts,
    providers=st.lists(names, max_size=2).map(tuple),
    versions=st.dictionaries(names, names, max_size=2),
)
figures = st.floats(0, 9)
records = st.lists(st.builds(Record, counts, st.floats(0, 9), st.floats(0, 9), counts), max_size=3).map(tuple)


@settings(max_examples=30)
@given(st.one_of(st.builds(Hello), st.builds(Ping, request=counts), installs, probings))
def test_what_a_controller_says_comes_back(message: ToWorker) -> None:
    assert decode_to_worker([encode(message)]) == (message, b"")


@given(
    st.one_of(
        st.builds(Welcome, info=infos, data_port=counts),
        st.builds(LayersProbed, request=counts, samples=st.lists(samples, max_size=2).map(tuple)),
        st.builds(
            FrameReport,
            plan=counts,
            frame=counts,
            records=records,
            compute_cpu_s=figures,
            wire_cpu_s=figures,
            process_cpu_s=figures,
            sent_messages=counts,
            sent_bytes=counts,
            received_messages=counts,
            received_bytes=counts,
            dropped=counts,
        ),
    )
)
def test_what_a_worker_says_comes_back(message: ToController) -> None:
    assert decode_to_controller([encode(message)]) == message


@settings(max_examples=30)
@given(node_plans())
def test_plans_come_back(plan: NodePlan) -> None:
    assert from_wire(to_wire(plan)) == plan


@given(
    st.sampled_from(["float32", "float64", "float16", "bool", "int64", "uint8"]),
    st.lists(st.integers(0, 3), max_size=4),
    st.booleans(),
    st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3),
)
def test_tensors_come_back(dtype: str, shape: list[int], transposed: bool, frames: list[int]) -> None:
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    array = np.asarray(array.T if transposed else array, order="C")
    header = TensorHeader(7, "a", "t", Box.whole(array.shape), dtype, array.shape, 3)
    encoder = TensorEncoder(header)
    assert encoder.fits(array)
    for frame in frames:
        decoded, copy = decode_tensor(encoder.encode(frame, array))
        assert decoded == replace(header, frame=frame)
        assert copy.dtype == array.dtype
        assert np.array_equal(copy, array)


def test_an_encoder_fits_arrays_of_its_dtype_and_shape_alone() -> None:
    encoder = TensorEncoder(TensorHeader(7, "a", "t", Box.whole((2, 3)), "float32", (2, 3), 0))
    assert encoder.fits(np.zeros((2, 3), np.float32))
    assert not encoder.fits(np.zeros((3, 2), np.float32))
    assert not encoder.fits(np.zeros((2, 3), np.float64))


def mutated(content: bytes, at: int, value: int) -> bytes:
    changed = bytearray(content)
    changed[at % len(changed)] = value
    return bytes(changed)


@pytest.mark.parametrize("decode", [decode_to_worker, decode_to_controller, decode_tensor])
@given(
    frames=st.lists(
        st.binary(max_size=60) | st.binary(max_size=60).map(lambda each: encode(Ping(request=1))[:5] + each), max_size=3
    )
)
def test_only_peer_errors_come_of_garbage(decode: Any, frames: list[bytes]) -> None:
    with contextlib.suppress(PeerError):
        decode(frames)


@settings(max_examples=30)
@given(message=installs, at=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.integers(0, 10_000))
def test_only_peer_errors_come_of_damaged_messages(message: Install, at: int, value: int, cut: int) -> None:
    content = encode(message)
    for damaged in (mutated(content, at, value), content[: cut % len(content)]):
        try:
            decoded, _ = decode_to_worker([damaged])
            if isinstance(decoded, Install):
                from_wire(decoded.node_plan)
        except PeerError:
            pass


def test_deep_nesting_is_a_peer_error() -> None:
    with pytest.raises(PeerError):
        decode_to_worker([encode(Ping(request=1))[:5] + b"\x91" * 100_000])


@pytest.mark.parametrize("decode", [decode_to_worker, decode_to_controller, decode_tensor])
def test_another_version_is_known_by_its_number(decode: Any) -> None:
    with pytest.raises(VersionError, match=f"version {PROTOCOL_VERSION + 1} .* version {PROTOCOL_VERSION}"):
        decode([b"LGN" + (PROTOCOL_VERSION + 1).to_bytes(2, "big") + b"anything"])


HEADER = TensorHeader(1, "a", "t", Box(((0, 2),)), "float32", (2,), 0)
PIECE = PutWeight(request=1, digest="d", dtype="float32", shape=(2,), offset=0, total_bytes=8)


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (HEADER, b"1234567"),
        (TensorHeader(1, "a", "t", Box(()), "object", (), 0), b"12345678"),
        (TensorHeader(1, "a", "t", Box(()), "float32", (1,) * 40, 0), b"1234"),
        (TensorHeader(1, "a", "t", Box(()), "float32", (0, 2**62), 0), b""),
        (TensorHeader(1, "a", "t", Box(()), "float32", (0, 2**63), 0), b""),
    ],
)
def test_tensors_that_are_none(header: TensorHeader, payload: bytes) -> None:
    with pytest.raises(PeerError):
        decode_tensor([encode(header), payload])


@pytest.mark.parametrize(
    ("piece", "payload"),
    [
        (PIECE, b""),
        (PIECE, b"123456789"),
        (PutWeight(request=1, digest="d", dtype="float32", shape=(3,), offset=0, total_bytes=8), b"1234"),
        (PutWeight(request=1, digest="d", dtype="float32", shape=(2,), offset=6, total_bytes=8), b"1234"),
        (PutWeight(request=1, digest="d", dtype="str", shape=(2,), offset=0, total_bytes=8), b"1234"),
        (PutWeight(request=1, digest="d", dtype="float32", shape=(0,) * 40, offset=0, total_bytes=0), b""),
    ],
)
def test_pieces_of_weights_that_are_none(piece: PutWeight, payload: bytes) -> None:
    with pytest.raises(PeerError):
        decode_to_worker([encode(piece), payload])


def test_a_piece_comes_with_its_bytes() -> None:
    assert decode_to_worker([encode(PIECE), b"12345678"]) == (PIECE, b"12345678")
    with pytest.raises(PeerError):
        decode_to_worker([encode(PIECE)])
