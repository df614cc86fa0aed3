"""Limits by cgroups, of either version, where this process may make them.

`groups()` describes; `launch.py` makes and joins them just before it becomes the replica, so that
no child escapes. What is here besides reads what a group has used.
"""

import errno
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.runtime import Limits

_PERIOD_US = 100_000
_MAX_PROCESSES = 1024
_REMOVE_PATIENCE_S = 2.0
_POLL_S = 0.01
_V1_CONTROLLERS = ("memory", "cpu", "cpuacct", "pids")


@dataclass(frozen=True, slots=True)
class Group:
    """One directory to make, what to write into its files, and where a replica sees it."""

    path: Path
    files: Mapping[str, str]
    seen_at: Path


class Cgroups:
    """The cgroups of one machine; `root` is where they are mounted."""

    def __init__(self, root: Path = Path("/sys/fs/cgroup")) -> None:
        self._root = root
        self.version = self._usable_version()

    def groups(self, name: str, limits: Limits) -> list[Group]:
        """What to make for a replica `name`; nothing where cgroups can't be used."""
        quota = max(1000, round(limits.cpus * _PERIOD_US))
        if self.version == 2:
            files = {
                "memory.max": str(limits.memory),
                "memory.swap.max": "0",
                "cpu.max": f"{quota} {_PERIOD_US}",
                "pids.max": str(_MAX_PROCESSES),
            }
            return [Group(self._root / "kurama" / name, files, Path("/sys/fs/cgroup"))]
        if self.version == 1:
            by_controller: dict[str, dict[str, str]] = {
                "memory": {"memory.limit_in_bytes": str(limits.memory)},
                "cpu": {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(quota)},
                "cpuacct": {},
                "pids": {"pids.max": str(_MAX_PROCESSES)},
            }
            return [
                Group(self._v1(controller, name), files, Path("/sys/fs/cgroup") / controller)
                for controller, files in by_controller.items()
                if (self._root / controller).is_dir()
            ]
        return []

    def usage(self, name: str) -> tuple[float | None, int | None]:
        """CPU seconds used so far and bytes of memory held now (less the idle page cache)."""
        if self.version == 2:
            folder = self._root / "kurama" / name
            cpu = _keyed(folder / "cpu.stat").get("usage_usec")
            held, stat = _number(folder / "memory.current"), _keyed(folder / "memory.stat")
            return _scaled(cpu, 1e-6), _less(held, stat.get("inactive_file"))
        if self.version == 1:
            cpu = _number(self._v1("cpuacct", name) / "cpuacct.usage")
            folder = self._v1("memory", name)
            held, stat = _number(folder / "memory.usage_in_bytes"), _keyed(folder / "memory.stat")
            return _scaled(cpu, 1e-9), _less(held, stat.get("total_inactive_file"))
        return None, None

    def memory_limit(self, name: str) -> int | None:
        """The bytes that this group may hold, or None without such a limit."""
        if self.version == 2:
            return _number(self._root / "kurama" / name / "memory.max")
        if self.version == 1:
            return _number(self._v1("memory", name) / "memory.limit_in_bytes")
        return None

    def out_of_memory(self, name: str) -> int:
        """How often the kernel killed something in this group for its memory limit."""
        file = (
            self._root / "kurama" / name / "memory.events"
            if self.version == 2
            else self._v1("memory", name) / "memory.oom_control"
        )
        return _keyed(file).get("oom_kill", 0)

    def remove(self, name: str) -> None:
        """Remove the groups of a replica that has ended.

        What was killed is in its group for some milliseconds more; one that has processes for
        longer stays.
        """
        left = [self._root / "kurama" / name]
        left += [self._v1(controller, name) for controller in _V1_CONTROLLERS]
        deadline = time.monotonic() + _REMOVE_PATIENCE_S
        while left := [path for path in left if _is_busy(path)]:
            if time.monotonic() > deadline:
                return
            time.sleep(_POLL_S)

    def _v1(self, controller: str, name: str) -> Path:
        return self._root / controller / "kurama" / name

    def _usable_version(self) -> int:
        """2, 1, or 0 where this process can't make groups with limits."""
        try:
            if (self._root / "cgroup.controllers").exists():
                return 2 if self._enable_v2() else 0
            usable = [self._v1(controller, "") for controller in ("memory", "cpu")]
            for folder in usable:
                if not folder.parent.is_dir():
                    return 0
                folder.mkdir(exist_ok=True)
            return 1 if all(os.access(folder, os.W_OK) for folder in usable) else 0
        except OSError:
            return 0

    def _enable_v2(self) -> bool:
        """Hand the controllers down to groups under `kurama`."""
        wanted = {"cpu", "memory", "pids"}
        if not wanted <= set((self._root / "cgroup.controllers").read_text().split()):
            return False
        ours = self._root / "kurama"
        ours.mkdir(exist_ok=True)
        for folder in (self._root, ours):
            control = folder / "cgroup.subtree_control"
            if not wanted <= set(control.read_text().split()):
                control.write_text("+cpu +memory +pids")
        return True


def _is_busy(group: Path) -> bool:
    """Remove a group; whether it can't be because there is still somebody in it."""
    try:
        group.rmdir()
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _keyed(file: Path) -> dict[str, int]:
    """A file of `key number` lines."""
    try:
        pairs = (line.split() for line in file.read_text().splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
    except (OSError, ValueError):
        return {}


def _scaled(value: int | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _less(value: int | None, part: int | None) -> int | None:
    return None if value is None else max(0, value - (part or 0))
