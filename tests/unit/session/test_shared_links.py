"""What devices share of the network is measured where there is something to share, and what that took is counted."""

import pytest

from legion.profile.ports import PortSample
from legion.session.shared_links import PORT_BYTES, RING_BYTES, measure_shared_links
from support.memory_cluster import memory_cluster


@pytest.mark.parametrize("share_machine", [False, True])
def test_ports_and_ring_are_measured_and_counted(share_machine):
    with memory_cluster(3, share_machine=share_machine) as cluster:
        measured = measure_shared_links(cluster)
        assert measured.ring is not None
        assert measured.ring.devices == tuple(cluster.devices)
    assert len(measured.ring.seconds) == 7
    assert [type(sample) for sample in measured.ports] == ([] if share_machine else [PortSample] * 2)
    rows_bytes = 8 * 3 * ((1 + 3 + 12) * RING_BYTES + 4)
    ports_bytes = 0 if share_machine else 4 * 3 * 4 * PORT_BYTES
    headers_bytes = measured.cost.bytes_moved - rows_bytes - ports_bytes
    assert 0 < headers_bytes < rows_bytes
    assert measured.cost.wall_s > 0
    assert measured.cost.device_busy_s == 0
