"""Do devices share the controller's port? Seen by a probe to all at once, in labs where they do and do not.

Method: a lab of two boards on links of 100 Mbit/s each, the controller's link once of 100 and once of 1000 Mbit/s. The
controller sends 100 kB to one board and gets them back, then the same with the other, then with both at once, three
times after once to warm up (`legion.session.shared_links`). `sharing` is 2 where the two messages went one after the
other, and 1 where each took as long as alone.

`python -m bench.ports`; needs root; takes half a minute.
"""

import sys
import tempfile
from pathlib import Path

import msgspec

from bench.inside_lab import measure_inside
from bench.paper.cells import SETS
from bench.paper.measure import with_controller_port
from bench.results_file import write_results
from legion.lab.lab import open_lab
from legion.lab.lab_file import read_lab
from legion.profile.ports import PortSample, sharing
from legion.session.cluster import connect
from legion.session.shared_links import measure_shared_links

CONTROLLER_MBIT_PER_S = (100, 1000)
_CONVOLUTIONS_HERE_S = 0.3
"""Boards compute nothing here, so that their speed need not be calibrated."""


def main() -> None:
    """Measure in both labs, and write the results."""
    results: list[dict[str, object]] = []
    for rate in CONTROLLER_MBIT_PER_S:
        samples = _in_a_lab(rate)
        by_direction = {sample.direction: sharing(sample) for sample in samples}
        print(f"controller at {rate} Mbit/s: {', '.join(f'{way} {value:.2f}' for way, value in by_direction.items())}")
        results.append({"controller_mbit_per_s": rate, "sharing": by_direction, "samples": samples})
    write_results("ports", __doc__ or "", results)


def _in_a_lab(controller_mbit_per_s: float) -> tuple[PortSample, ...]:
    setting = with_controller_port(read_lab(SETS / "2F.toml", lambda: _CONVOLUTIONS_HERE_S), controller_mbit_per_s)
    with tempfile.TemporaryDirectory() as folder, open_lab(setting) as lab:
        measured = Path(folder) / "measured.json"
        measure_inside(lab, "bench.ports", measured)
        return msgspec.json.decode(measured.read_bytes(), type=tuple[PortSample, ...])


def measure(cluster_file: str, measured: str) -> None:
    """What runs inside the lab, as its controller."""
    with connect(cluster_file) as cluster:
        Path(measured).write_bytes(msgspec.json.encode(measure_shared_links(cluster).ports))


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(*sys.argv[1:])
    else:
        main()
