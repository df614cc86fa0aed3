"""Limits and use, read from made-up trees of cgroup files of both versions."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from flask_kurama.cgroup import Cgroup, CpuUse

NO_LIMIT_V1 = 9223372036854771712


def tree(root: Path, files: Mapping[str, object]) -> Path:
    """Write the files below `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def cgroup(tmp_path: Path, files: Mapping[str, object], membership: str) -> Cgroup:
    """The group of a process with this /proc/self/cgroup."""
    own = tmp_path / "membership"
    tmp_path.mkdir(exist_ok=True)
    own.write_text(membership)
    return Cgroup(tree(tmp_path / "cgroup", files), own)


V2 = {
    "cgroup.controllers": "cpu memory",
    "app/cpu.max": "50000 100000",
    "app/cpu.stat": "usage_usec 2500000\nuser_usec 2000000",
    "app/memory.max": 1000,
    "app/memory.current": 600,
    "app/memory.stat": "anon 400\ninactive_file 100\nactive_file 50",
    "app/memory.swap.max": 200,
    "app/memory.swap.current": 50,
}
V1 = {
    "cpu/app/cpu.cfs_quota_us": 150000,
    "cpu/app/cpu.cfs_period_us": 100000,
    "cpuacct/app/cpuacct.usage": 2500000000,
    "memory/app/memory.limit_in_bytes": 1000,
    "memory/app/memory.usage_in_bytes": 600,
    "memory/app/memory.stat": "cache 9\ninactive_file 1\ntotal_inactive_file 100",
    "memory/app/memory.memsw.limit_in_bytes": 1200,
    "memory/app/memory.memsw.usage_in_bytes": 650,
}
V1_MEMBERSHIP = "4:memory:/app\n3:cpuset:/\n2:cpuacct:/app\n1:cpu:/app\n0::/\n"


def test_version_2(tmp_path: Path) -> None:
    """Half a CPU, memory without the cache that can be dropped, swap."""
    group = cgroup(tmp_path, V2, "0::/app\n")
    assert group.cpu() == CpuUse(2.5, 0.5)
    assert group.memory_percent() == 50
    assert group.swap_percent() == 25


def test_version_1(tmp_path: Path) -> None:
    """The same; swap is what memory and swap together have over memory."""
    group = cgroup(tmp_path, V1, V1_MEMBERSHIP)
    assert group.cpu() == CpuUse(2.5, 1.5)
    assert group.memory_percent() == 50
    assert group.swap_percent() == 25


def test_version_1_with_controllers_mounted_together(tmp_path: Path) -> None:
    """As on most distributions: one folder `cpu,cpuacct`."""
    files = {
        "cpu,cpuacct/app/cpu.cfs_quota_us": 100000,
        "cpu,cpuacct/app/cpu.cfs_period_us": 100000,
        "cpu,cpuacct/app/cpuacct.usage": 1000000000,
    }
    group = cgroup(tmp_path, files, "4:cpu,cpuacct:/app\n")
    assert group.cpu() == CpuUse(1, 1)


@pytest.mark.parametrize("path", ["/docker/12ab", "/../..", "/"])
def test_a_container_sees_its_own_group_at_the_top(tmp_path: Path, path: str) -> None:
    """The path in /proc may be the host's, which does not exist here, or out of the namespace."""
    at_top = {name.replace("app/", ""): content for name, content in V2.items()}
    group = cgroup(tmp_path, at_top, f"0::{path}\n")
    assert group.cpu() == CpuUse(2.5, 0.5)
    assert group.memory_percent() == 50


def test_nothing_outside_the_mount_is_read(tmp_path: Path) -> None:
    """A path that leads out of the namespace leads nowhere."""
    tree(tmp_path, {"memory.max": 100, "memory.current": 10})
    group = cgroup(tmp_path, {"cgroup.controllers": ""}, "0::/..\n")
    assert group.memory_percent() is None


def test_a_container_sees_its_own_group_at_the_top_in_version_1(tmp_path: Path) -> None:
    """Each controller has its own top."""
    at_top = {name.replace("app/", ""): content for name, content in V1.items()}
    membership = V1_MEMBERSHIP.replace("/app", "/docker/12ab")
    group = cgroup(tmp_path, at_top, membership)
    assert group.cpu() == CpuUse(2.5, 1.5)
    assert group.memory_percent() == 50


def test_the_group_around_counts_where_the_own_has_no_limit(tmp_path: Path) -> None:
    """A limit on a slice or a pod holds for all within, and its use is theirs together."""
    inner = {
        "app/web/cpu.max": "max 100000",
        "app/web/cpu.stat": "usage_usec 1",
        "app/web/memory.max": "max",
        "app/web/memory.current": 5,
        "app/web/memory.swap.max": "max",
    }
    group = cgroup(tmp_path, V2 | inner, "0::/app/web\n")
    assert group.cpu() == CpuUse(2.5, 0.5)
    assert group.memory_percent() == 50
    assert group.swap_percent() == 25


def test_another_groups_limit_does_not_count(tmp_path: Path) -> None:
    """`/app` is beside `/application`, not around it."""
    group = cgroup(tmp_path, V2 | {"application/memory.max": "max"}, "0::/application\n")
    assert group.cpu() is None
    assert group.memory_percent() is None


def test_without_limits_in_version_2(tmp_path: Path) -> None:
    """`max` is no limit; the host is to be asked."""
    files = V2 | {
        "app/cpu.max": "max 100000",
        "app/memory.max": "max",
        "app/memory.swap.max": "max",
    }
    group = cgroup(tmp_path, files, "0::/app\n")
    assert (group.cpu(), group.memory_percent(), group.swap_percent()) == (None, None, None)


def test_without_limits_in_version_1(tmp_path: Path) -> None:
    """-1 and the huge number are no limits."""
    files = V1 | {
        "cpu/app/cpu.cfs_quota_us": -1,
        "memory/app/memory.limit_in_bytes": NO_LIMIT_V1,
        "memory/app/memory.memsw.limit_in_bytes": NO_LIMIT_V1,
    }
    group = cgroup(tmp_path, files, V1_MEMBERSHIP)
    assert (group.cpu(), group.memory_percent(), group.swap_percent()) == (None, None, None)


def test_a_limit_of_no_swap_is_0_percent(tmp_path: Path) -> None:
    """As Docker sets it with --memory-swap equal to --memory: nothing used of nothing."""
    group = cgroup(tmp_path, V2 | {"app/memory.swap.max": 0}, "0::/app\n")
    assert group.swap_percent() == 0
    files = V1 | {"memory/app/memory.memsw.limit_in_bytes": 1000}
    assert cgroup(tmp_path / "v1", files, V1_MEMBERSHIP).swap_percent() == 0


def test_more_cache_than_use_is_not_negative(tmp_path: Path) -> None:
    """The two files are not read at the same moment."""
    group = cgroup(tmp_path, V2 | {"app/memory.current": 90}, "0::/app\n")
    assert group.memory_percent() == 0


@pytest.mark.parametrize("files", [{}, {"cgroup.controllers": ""}, {"memory/app/memory.stat": "x"}])
def test_missing_files_are_no_limits(tmp_path: Path, files: dict[str, object]) -> None:
    """A kernel without controllers, a system without cgroups."""
    group = cgroup(tmp_path, files, "0::/app\n")
    assert (group.cpu(), group.memory_percent(), group.swap_percent()) == (None, None, None)
    nowhere = Cgroup(tmp_path / "none", tmp_path / "none")
    assert (nowhere.cpu(), nowhere.memory_percent()) == (None, None)


@pytest.mark.parametrize("content", ["", "x", "50000", "0 0", "50000 0", "\xff"])
def test_garbage_in_a_file_is_no_limit(tmp_path: Path, content: str) -> None:
    """Whatever a file holds, reading it does not fail."""
    group = cgroup(tmp_path, V2 | {"app/cpu.max": content, "app/memory.max": content}, "0::/app\n")
    assert group.cpu() is None
