"""Clusters are told apart by the way to their devices."""

from contextlib import closing
from pathlib import Path

import legion
from legion.cluster.cluster_file import write_cluster
from legion.cluster.device import ControllerSetting
from legion.runtime.local import start_local_workers


def test_local_workers_are_the_same_each_time() -> None:
    reached: list[str] = []
    for _ in range(2):
        with legion.local_cluster(1) as cluster:
            reached.append(cluster.reached)
    assert len(set(reached)) == 1


def test_files_addresses_and_settings_tell_clusters_apart(tmp_path: Path) -> None:
    """The same boards behind another file may be another lab's, whose boards have another speed."""
    with start_local_workers(1) as workers:
        reached: list[str] = []
        for name, bandwidth in (("one", None), ("one", 1e9), ("two", None)):
            file = tmp_path / f"{name}.toml"
            write_cluster(file, workers.devices, ControllerSetting(bandwidth_bytes_per_s=bandwidth))
            reached += [_reached(file), _reached(file)]
        reached.append(_reached(workers.devices))
    assert reached[::2] == [*reached[1::2], reached[-1]]
    assert len(set(reached)) == 4


def _reached(cluster) -> str:
    with closing(legion.connect(cluster)) as connected:
        return connected.reached
