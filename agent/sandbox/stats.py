"""What replicas use: from their cgroups, else by adding up their processes."""

import contextlib
from collections.abc import Mapping

import psutil

from agent.runtime import ReplicaStats
from agent.sandbox.cgroups import Cgroups


def collect(cgroups: Cgroups, pids: Mapping[str, int]) -> list[ReplicaStats]:
    """The use of each replica in `pids`, by the process that supervisord started for it."""
    found = []
    for instance, pid in pids.items():
        cpu, memory = cgroups.usage(instance)
        if cpu is None and memory is None:
            cpu, memory = _of_processes(pid)
        found.append(ReplicaStats(instance, cpu, memory, cgroups.memory_limit(instance)))
    return found


def _of_processes(pid: int) -> tuple[float | None, int | None]:
    """CPU seconds and resident bytes of a process and what it started; None once it is gone."""
    try:
        first = psutil.Process(pid)
        family = [first, *first.children(recursive=True)]
    except psutil.Error:
        return None, None
    cpu, memory = 0.0, 0
    for process in family:
        with contextlib.suppress(psutil.Error), process.oneshot():
            times = process.cpu_times()
            cpu += times.user + times.system
            memory += process.memory_info().rss
    return cpu, memory
