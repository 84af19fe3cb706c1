"""The network that nodes use outside of tests."""

from legion.transport.base import Transport
from legion.transport.paced import PacedTransport
from legion.transport.zeromq import ZeroMqTransport
from legion.wire.codec import MAX_CONTROL_BYTES, MAX_TENSOR_BYTES


def real_network(bandwidth_bytes_per_s: float | None = None) -> Transport:
    """ZeroMQ with the limits of the wire protocol; one for each node, which may emulate a slower link."""
    transport = ZeroMqTransport(max_control_bytes=MAX_CONTROL_BYTES, max_tensor_bytes=MAX_TENSOR_BYTES)
    return transport if bandwidth_bytes_per_s is None else PacedTransport(transport, bandwidth_bytes_per_s)
