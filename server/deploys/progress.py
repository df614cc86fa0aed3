"""What a deploy has said so far, for whoever follows it, from any thread."""

import threading
from collections.abc import Callable

from server.errors import KuramaError

# A build that prints more than this is cut in its middle: the end tells why it failed.
_MOST_LINES = 5000
_CUT = "       (output cut here)"


class Progress:
    """The lines of one deploy; ended once, with `error` set where it failed.

    Listeners are called, without arguments, at each change, from any thread; each must return at
    once.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._cut = 0
        self._ended = False
        self.error: KuramaError | None = None
        self._listeners: set[Callable[[], None]] = set()
        self._changed = threading.Condition()

    def add(self, line: str) -> None:
        """Say one line."""
        with self._changed:
            self._lines.append(line)
            if len(self._lines) > _MOST_LINES:
                middle = _MOST_LINES // 2
                self._cut += 1
                del self._lines[middle]
            self._tell()

    def end(self) -> None:
        """Say that nothing more will come."""
        with self._changed:
            self._ended = True
            self._tell()

    def since(self, seen: int) -> tuple[list[str], int, bool]:
        """The lines after the first `seen`, how many there are then, and whether that was all."""
        with self._changed:
            middle = _MOST_LINES // 2
            # Lines before the cut stand where they stood; those behind it have moved up.
            start = seen if seen <= middle else max(middle, seen - self._cut)
            return self._lines[start:], len(self._lines) + self._cut, self._ended

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` at each change from now on; the returned function ends that."""
        with self._changed:
            self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def wait(self, timeout: float) -> bool:
        """Wait for the end, at most `timeout` seconds; return whether it has come."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended, timeout)

    @property
    def text(self) -> str:
        """All of it."""
        with self._changed:
            middle = _MOST_LINES // 2
            cut = [_CUT] if self._cut else []
            return "\n".join([*self._lines[:middle], *cut, *self._lines[middle:]])

    def _tell(self) -> None:
        self._changed.notify_all()
        for listener in list(self._listeners):
            listener()
