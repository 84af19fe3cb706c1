"""Which files are written for which version of cgroups, on directories that look like them."""

from pathlib import Path

import pytest

from legion.errors import InputError
from legion.lab.cgroups import (
    Hierarchies,
    Hierarchy,
    find_hierarchies,
    limit_memory,
    limit_processor,
    remove_groups,
)


def test_controllers_are_found_by_the_mounts(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "cgroup.controllers").write_text("hugetlb\n")
    first = "cgroup /sys/fs/cgroup/{0} cgroup rw,relatime,{0} 0 0\n"
    old = first.format("cpu") + first.format("memory") + first.format("cpuset") + f"cgroup2 {empty} cgroup2 rw 0 0\n"
    assert find_hierarchies(old) == {
        "cpu": Hierarchy(Path("/sys/fs/cgroup/cpu"), 1),
        "memory": Hierarchy(Path("/sys/fs/cgroup/memory"), 1),
    }
    new = f"cgroup2 {tmp_path} cgroup2 rw 0 0\nproc /proc proc rw 0 0\n"
    assert find_hierarchies(new) == {"cpu": Hierarchy(tmp_path, 2), "memory": Hierarchy(tmp_path, 2)}
    assert find_hierarchies("proc /proc proc rw 0 0\n") == {}


def test_version_1(tmp_path: Path) -> None:
    hierarchies: Hierarchies = {"cpu": Hierarchy(tmp_path / "cpu", 1), "memory": Hierarchy(tmp_path / "memory", 1)}
    limit_processor(hierarchies, "lgnabcd", 3, 4711, 0.2)
    assert limit_memory(hierarchies, "lgnabcd", 3, 4711, 2_000_000)
    cpu, memory = tmp_path / "cpu" / "lgnabcd" / "3", tmp_path / "memory" / "lgnabcd" / "3"
    assert {path.name: path.read_text() for path in cpu.iterdir()} == {
        "cpu.cfs_period_us": "5000",
        "cpu.cfs_quota_us": "1000",
        "cgroup.procs": "4711",
    }
    assert {path.name: path.read_text() for path in memory.iterdir()} == {
        "memory.limit_in_bytes": "2000000",
        "cgroup.procs": "4711",
    }


def test_version_2_enables_the_controllers_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("memory pids")
    lab = tmp_path / "lgnabcd"
    lab.mkdir()
    (lab / "cgroup.subtree_control").write_text("")
    hierarchies: Hierarchies = {"cpu": Hierarchy(tmp_path, 2), "memory": Hierarchy(tmp_path, 2)}
    limit_processor(hierarchies, "lgnabcd", 0, 4711, 0.25)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu"
    assert (lab / "cgroup.subtree_control").read_text() == "+cpu"
    assert (lab / "0" / "cpu.max").read_text() == "1000 4000"
    assert limit_memory(hierarchies, "lgnabcd", 0, 4711, 2_000_000)
    assert (lab / "0" / "memory.max").read_text() == "2000000"


def test_what_cannot_be_had(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for hierarchies in ({}, {"cpu": Hierarchy(Path("/proc/none"), 2), "memory": Hierarchy(Path("/proc/none"), 1)}):
        assert not limit_memory(hierarchies, "lgnabcd", 0, 4711, 1)
        assert "cannot be enforced" in caplog.text
        with pytest.raises(InputError, match=r"no processor quota.*pacing"):
            limit_processor(hierarchies, "lgnabcd", 0, 4711, 0.5)


def test_groups_are_removed_and_others_stay(tmp_path: Path) -> None:
    hierarchies: Hierarchies = {"cpu": Hierarchy(tmp_path, 1)}
    for group in ("lgnabcd/0", "lgnabcd/1", "lgnffff/0"):
        (tmp_path / group).mkdir(parents=True)
    for _ in range(2):
        remove_groups(hierarchies, "lgnabcd")
        assert [path.name for path in tmp_path.iterdir()] == ["lgnffff"]
