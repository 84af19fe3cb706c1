"""The network that nodes use outside of tests."""

from legion.transport.zeromq import ZeroMqTransport
from legion.wire.codec import MAX_CONTROL_BYTES, MAX_TENSOR_BYTES


def real_network() -> ZeroMqTransport:
    """ZeroMQ with the limits of the wire protocol; one for each node."""
    return ZeroMqTransport(max_control_bytes=MAX_CONTROL_BYTES, max_tensor_bytes=MAX_TENSOR_BYTES)
