"""Ports for replicas: of the configured range, held by no replica and by nobody else."""

import socket
from collections.abc import Container, Iterable


def free(first: int, last: int, taken: Container[int], after: int) -> Iterable[int]:
    """Yield ports that can be listened on, starting behind `after` and going round once.

    Going round keeps a port that was just given up unused for as long as possible: somebody may
    still have a connection to the replica that had it.
    """
    count = last - first + 1
    start = (after + 1 - first) % count if first <= after <= last else 0
    for step in range(count):
        port = first + (start + step) % count
        if port not in taken and _can_listen(port):
            yield port


def _can_listen(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
