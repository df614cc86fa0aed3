"""Connections to replicas, by what the kernel lists: who listens, and who is still connected."""

import time
from collections.abc import Collection, Mapping
from pathlib import Path

import psutil

_POLL_S = 0.05
_ESTABLISHED = "01"


def listens(pid: int, port: int) -> bool:
    """Whether a process, or one that it started, listens on a TCP port; yes where it isn't told."""
    try:
        first = psutil.Process(pid)
        family = [first, *first.children(recursive=True)]
    except psutil.Error:
        return False
    for process in family:
        try:
            found = process.net_connections(kind="tcp")
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            return True
        if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found):
            return True
    return False


def wait_for_end(deadlines: Mapping[int, float], source: Path = Path("/proc/net/tcp")) -> None:
    """Wait until nobody is connected to these ports, each at most as many seconds as it maps to."""
    begun = time.monotonic()
    left = dict(deadlines)
    while left:
        passed = time.monotonic() - begun
        busy = connected(left, source)
        left = {port: limit for port, limit in left.items() if port in busy and passed < limit}
        if left:
            time.sleep(_POLL_S)


def connected(ports: Collection[int], source: Path) -> set[int]:
    """Those of `ports` that somebody is connected to; none where the kernel doesn't say.

    Source: proc(5), /proc/net/tcp; the second field is the local address, the fourth the state.
    """
    try:
        lines = source.read_text().splitlines()[1:]
    except OSError:
        return set()
    fields = (line.split(maxsplit=4) for line in lines)
    local = {int(words[1].rpartition(":")[2], 16) for words in fields if words[3] == _ESTABLISHED}
    return local & set(ports)
