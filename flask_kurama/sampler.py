"""The four percentages of the records, sampled once a second by one thread, at first sooner.

A request must not pay for them: psutil's calls take longer than a request of Flask's. Where the
process has a limit they are its share of the limit (cgroup.py), else the host's (psutil, and null
without it).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Protocol

from flask_kurama.cgroup import CpuUse
from flask_kurama.record import load_text

PERIOD_S = 1.0
# CPU use is known from the second sample on.
FIRST_PERIOD_S = 0.1


class Limits(Protocol):
    """What cgroup.Cgroup answers; None where there is no limit."""

    def cpu(self) -> CpuUse | None: ...
    def memory_percent(self) -> float | None: ...
    def swap_percent(self) -> float | None: ...


class Machine(Protocol):
    """What the whole host answers; None where it can't be known."""

    def cpu(self) -> CpuUse | None: ...
    def memory_percent(self) -> float | None: ...
    def swap_percent(self) -> float | None: ...
    def disk_percent(self) -> float | None: ...


class Host:
    """The figures of the machine, by psutil; the disk is that of the working directory."""

    def __init__(self, psutil: ModuleType | None) -> None:
        self._psutil = psutil

    def cpu(self) -> CpuUse | None:
        """CPU time of all processes since the start, and the number of CPUs.

        Not psutil.cpu_percent(): it remembers its last call, which may have been the
        application's own.
        """
        if self._psutil is None:
            return None
        times = self._psutil.cpu_times()
        # Linux counts a guest's time in user and nice already.
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        idle = times.idle + getattr(times, "iowait", 0.0)
        return CpuUse(sum(times) - guests - idle, float(self._psutil.cpu_count() or 1))

    def memory_percent(self) -> float | None:
        """Memory that is not available, of all memory."""
        if self._psutil is None:
            return None
        return float(self._psutil.virtual_memory().percent)

    def swap_percent(self) -> float | None:
        """Swap in use, of all swap."""
        if self._psutil is None:
            return None
        return float(self._psutil.swap_memory().percent)

    def disk_percent(self) -> float | None:
        """Used space of the space that unprivileged processes can use, as `df` counts it."""
        disk = os.statvfs(".")
        used = disk.f_blocks - disk.f_bfree
        usable = used + disk.f_bavail
        return 100.0 * used / usable if usable else None


class Sampler:
    """Keeps `load`, the percentages as JSON text ready to stand in a record."""

    def __init__(
        self,
        limits: Limits,
        host: Machine,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.load = load_text(None, None, None, None)
        self._limits = limits
        self._host = host
        self._clock = clock
        self._last: tuple[float, CpuUse, bool] | None = None

    def start(self) -> None:
        """Take a first sample here, and go on in a thread."""
        self.tick()
        # No thread can be started when the interpreter is ending.
        with suppress(RuntimeError):
            threading.Thread(target=self._run, name="kurama-sampler", daemon=True).start()

    def forget(self) -> None:
        """In a forked process: what the parent sampled is not this one's."""
        self._last = None

    def tick(self) -> None:
        """Take one sample."""
        self.load = load_text(
            _rounded(self._cpu_percent),
            _rounded(self._host.disk_percent),
            _rounded(self._limits.swap_percent, self._host.swap_percent),
            _rounded(self._limits.memory_percent, self._host.memory_percent),
        )

    def _run(self) -> None:
        time.sleep(FIRST_PERIOD_S)
        while True:
            self.tick()
            time.sleep(PERIOD_S)

    def _cpu_percent(self) -> float | None:
        """CPU used since the last tick of what could have been used.

        None at the first tick, when the source has changed, and when the counter went back, as it
        does where a process has been moved to another group.
        """
        limited = self._limits.cpu()
        use = limited or self._host.cpu()
        now, last = self._clock(), self._last
        self._last = None if use is None else (now, use, limited is not None)
        if use is None or last is None or last[2] != (limited is not None):
            return None
        used, could = use.used_s - last[1].used_s, (now - last[0]) * use.limit_cpus
        if used < 0 or could <= 0:
            return None
        # Slightly more than the quota can be used: unused time is carried into the next period.
        return min(100.0, 100.0 * used / could)


def _rounded(*sources: Callable[[], float | None]) -> float | None:
    """The first answer, to a tenth; None when no source has one or the system refuses it."""
    for source in sources:
        try:
            figure = source()
        except (OSError, ValueError, LookupError, RuntimeError):
            continue
        if figure is not None:
            return round(figure, 1)
    return None
