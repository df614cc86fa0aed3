"""How long the parts of a deploy take."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up seconds by the name of a part. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._laps: dict[str, float] = {}

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Count the block's time to the part `name`."""
        begun = self._clock()
        try:
            yield
        finally:
            self._laps[name] = self._laps.get(name, 0.0) + self._clock() - begun

    @property
    def total_s(self) -> float:
        """Since it was made."""
        return self._clock() - self._begun

    @property
    def laps_s(self) -> dict[str, float]:
        """Seconds by part, in the order in which the parts began, and in all."""
        laps = {name: round(seconds, 4) for name, seconds in self._laps.items()}
        return {**laps, "total": round(self.total_s, 4)}
