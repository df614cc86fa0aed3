"""Visitors that keep their connections and count every request that went wrong."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_TIMEOUT_S = 30


@dataclass
class Tally:
    """What came of the requests: how many were answered, and each failure in words."""

    answered: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def visitors(host: str, port: int, path: str = "/", count: int = 8) -> Iterator[Tally]:
    """Let `count` visitors ask without a pause while the block runs.

    A connection that the server closes without having said so counts as a failure, as it does for
    any client that can't send its request a second time.
    """
    tally = Tally()
    lock = threading.Lock()
    ended = threading.Event()

    def visit() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        while not ended.is_set():
            failure = _ask(connection, host, path)
            with lock:
                tally.answered += not failure
                if failure:
                    tally.failures.append(failure)
        connection.close()

    threads = [threading.Thread(target=visit) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield tally
    finally:
        ended.set()
        for thread in threads:
            thread.join(_TIMEOUT_S)


def _ask(connection: http.client.HTTPConnection, host: str, path: str) -> str:
    """One request; return "" or what went wrong."""
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return f"{type(error).__name__}: {error}"
    return "" if response.status < 500 else f"status {response.status}"
