"""What a container may use and does use, read from cgroup files of version 1 or 2.

Only files are read here, below the folder that is given; what to make of the figures over time is
sampler.py's matter. Sources: the kernel's Documentation/admin-guide/cgroup-v1/memory.rst,
cgroup-v2.rst and scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
# Version 1 says "no limit" with the largest page-aligned 63-bit number.
_UNLIMITED = 1 << 60


@dataclass(frozen=True)
class CpuUse:
    """Seconds of CPU used so far, and how many CPUs may be used at once."""

    used_s: float
    limit_cpus: float


class Cgroup:
    """The control group of this process.

    A figure is None where there is no limit, and the host's is to be used. The nearest limit
    counts: a group's own, else that of the group around it.
    """

    def __init__(self, root: Path = ROOT, membership: Path = MEMBERSHIP) -> None:
        places = _places(_read(membership) or "")
        if (root / "cgroup.controllers").exists():
            own = list(_upwards(root, places.get("", "/")))
            self._read_cpu, self._cpu = _cpu_v2, own
            self._read_memory, self._read_swap, self._memory = _memory_v2, _swap_v2, own
        else:
            self._read_cpu, self._cpu = _cpu_v1, _controller(root, places, "cpu")
            self._read_memory, self._read_swap = _memory_v1, _swap_v1
            self._memory = _controller(root, places, "memory")

    def cpu(self) -> CpuUse | None:
        """CPU used and allowed."""
        return next(filter(None, map(self._read_cpu, self._cpu)), None)

    def memory_percent(self) -> float | None:
        """Memory in use, without the page cache that the kernel drops first, of the limit."""
        return _nearest(self._read_memory, self._memory)

    def swap_percent(self) -> float | None:
        """Swap in use of the limit; 0 where the limit is that there be none."""
        return _nearest(self._read_swap, self._memory)


def _nearest(read: Callable[[Path], float | None], folders: list[Path]) -> float | None:
    figures = map(read, folders)
    return next((figure for figure in figures if figure is not None), None)


def _places(membership: str) -> dict[str, str]:
    """The group's path for each controller, of lines like `4:cpu,cpuacct:/docker/12ab`.

    Version 2's only line has no controller: its key is "".
    """
    places = {}
    for line in membership.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            places[controller] = path
    return places


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """The existing folders of the group `path` and of those around it, the mount's top last.

    In a container the path may be the host's while the mount shows only the container's own group
    as its top: then only the top exists. A path out of the namespace, `/../x`, is not followed.
    """
    steps = [step for step in path.split("/") if step]
    if ".." in steps:
        steps = []
    for depth in range(len(steps), -1, -1):
        folder = mount.joinpath(*steps[:depth])
        if folder.is_dir():
            yield folder


def _controller(root: Path, places: dict[str, str], name: str) -> list[Path]:
    """Version 1's folders of one controller, which may be mounted together with another."""
    mounts = [root / name, *sorted(root.glob(f"*{name},*")), *sorted(root.glob(f"*,{name}"))]
    mount = next((mount for mount in mounts if mount.is_dir()), None)
    return list(_upwards(mount, places.get(name, "/"))) if mount else []


def _cpu_v2(folder: Path) -> CpuUse | None:
    quota, _, period = (_read(folder / "cpu.max") or "max").partition(" ")
    used = _keyed(folder / "cpu.stat", "usage_usec")
    return _cpu_use(used, 1e6, _whole(quota), _whole(period))


def _cpu_v1(folder: Path) -> CpuUse | None:
    quota = _number(folder / "cpu.cfs_quota_us")
    period = _number(folder / "cpu.cfs_period_us")
    used = _number(folder / "cpuacct.usage")
    if used is None:
        # The two controllers are mounted apart: the same group, below the other mount.
        parts = ["cpuacct" if part == "cpu" else part for part in folder.parts]
        used = _number(Path(*parts) / "cpuacct.usage")
    return _cpu_use(used, 1e9, quota, period)


def _cpu_use(
    used: int | None, per_second: float, quota: int | None, period: int | None
) -> CpuUse | None:
    if used is None or quota is None or quota <= 0 or not period:
        return None
    return CpuUse(used / per_second, quota / period)


def _memory_v2(folder: Path) -> float | None:
    cache = _keyed(folder / "memory.stat", "inactive_file")
    return _share(_number(folder / "memory.current"), cache or 0, _number(folder / "memory.max"))


def _memory_v1(folder: Path) -> float | None:
    cache = _keyed(folder / "memory.stat", "total_inactive_file")
    used, limit = folder / "memory.usage_in_bytes", folder / "memory.limit_in_bytes"
    return _share(_number(used), cache or 0, _number(limit))


def _swap_v2(folder: Path) -> float | None:
    limit = _number(folder / "memory.swap.max")
    return _share(_number(folder / "memory.swap.current"), 0, limit)


def _swap_v1(folder: Path) -> float | None:
    """Version 1 limits memory and swap together: swap is what is over the memory's own."""
    memory, both = _number(folder / "memory.limit_in_bytes"), folder / "memory.memsw.limit_in_bytes"
    limit = _number(both)
    if memory is None or limit is None or limit >= _UNLIMITED:
        return None
    used = _number(folder / "memory.memsw.usage_in_bytes")
    return _share(used, _number(folder / "memory.usage_in_bytes") or 0, max(0, limit - memory))


def _share(used: int | None, less: int, limit: int | None) -> float | None:
    """(used - less) as a percentage of a limit; None without a limit."""
    if used is None or limit is None or limit >= _UNLIMITED:
        return None
    return 100.0 * max(0, used - less) / limit if limit else 0.0


def _read(path: Path) -> str | None:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return None


def _number(path: Path) -> int | None:
    return _whole(_read(path) or "")


def _whole(text: str) -> int | None:
    """An integer; None for `max` and whatever else is none."""
    try:
        return int(text)
    except ValueError:
        return None


def _keyed(path: Path, key: str) -> int | None:
    """The number beside `key` in a file of `key number` lines."""
    for line in (_read(path) or "").splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return _whole(value)
    return None
