"""Slows down whoever guesses passwords: a few wrong ones for an address, then a pause."""

import threading
import time
from collections.abc import Callable

from server.errors import TooManyRequests

_MOST_FAILURES = 10
_WINDOW_S = 300.0
# Whom we remember at most; the oldest is forgotten first.
_MOST_REMEMBERED = 10_000


class Throttle:
    """Counts failures by key within a window of five minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def check(self, key: str) -> None:
        """Raise TooManyRequests when `key` has failed too often lately."""
        with self._lock:
            if len(self._recent(key)) >= _MOST_FAILURES:
                raise TooManyRequests(
                    "Too many wrong passwords for this account", "Wait five minutes."
                )

    def failed(self, key: str) -> None:
        """Remember one more failure."""
        with self._lock:
            recent = self._recent(key)
            self._failures.pop(key, None)
            self._failures[key] = [*recent, self._clock()]
            while len(self._failures) > _MOST_REMEMBERED:
                del self._failures[next(iter(self._failures))]

    def _recent(self, key: str) -> list[float]:
        limit = self._clock() - _WINDOW_S
        return [at for at in self._failures.get(key, []) if at > limit]
