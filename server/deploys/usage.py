"""What each replica uses, from two looks at the workers' counters."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Use:
    """Of one replica: bytes held, and CPU in percent of its limit; None where unknown."""

    memory: int | None
    cpu_percent: float | None


class Usage:
    """The latest use of every replica. `cpus` is one replica's limit, in cores."""

    def __init__(self, cpus: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._cpus = cpus
        self._clock = clock
        self._lock = threading.Lock()
        self._counters: dict[str, tuple[float, float | None]] = {}
        self._uses: dict[str, Use] = {}

    def observe(self, stats: Sequence[Mapping[str, Any]]) -> None:
        """Take a new look: `stats` as a worker gives them; who isn't in them is forgotten."""
        now = self._clock()
        counters = {one["instance"]: (now, one["cpu_s"]) for one in stats}
        with self._lock:
            self._uses = {
                one["instance"]: Use(
                    one["memory"], self._percent(one["instance"], now, one["cpu_s"])
                )
                for one in stats
            }
            self._counters = counters

    def of(self, instance: str) -> Use:
        """The use of one replica."""
        with self._lock:
            return self._uses.get(instance, Use(None, None))

    def _percent(self, instance: str, now: float, cpu_s: float | None) -> float | None:
        at, before = self._counters.get(instance, (now, None))
        if cpu_s is None or before is None or now <= at or cpu_s < before:
            return None
        return round(100 * (cpu_s - before) / (now - at) / self._cpus, 1)
