"""Asks the interface about a push and prints its answer as it comes.

The standard library's smallest parts only: each push waits for this to start, twice. The interface
puts its address and this push's secret into the environment of `git receive-pack`; outside of that,
a hook has nobody to ask and refuses.
"""

from __future__ import annotations

import os
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

_EXIT = b"exit "


def ask(hook: str) -> int:
    """Post stdin and git's object folders to `hook`'s endpoint; return the exit status it says."""
    host, _, port = os.environ.get("KURAMA_INTERFACE", "").rpartition(":")
    if not host:
        print("Push through Kurama's interface: this repository takes nothing else.")
        return 1
    timeout = float(os.environ["KURAMA_TIMEOUT"])
    request = _request(hook, host, sys.stdin.buffer.read())
    try:
        with socket.create_connection((host, int(port)), timeout) as connection:
            return converse(connection, request)
    except OSError as error:
        print(f"Kurama's interface can't be reached: {error}. Push again.")
        return 1


def converse(connection: socket.socket, request: bytes) -> int:
    """Send `request`, print the answer's lines as they come; return the exit status it says."""
    connection.sendall(request)
    with connection.makefile("rb") as answer:
        status = answer.readline().split()
        while answer.readline() not in (b"\r\n", b""):
            pass
        if status and status[1:2] != [b"200"]:
            print("Kurama's interface doesn't know this push: it was restarted, say. Push again.")
            return 1
        return _relay(_lines(answer))


def _request(hook: str, host: str, body: bytes) -> bytes:
    headers = {
        "Host": host,
        "Content-Length": str(len(body)),
        "X-Kurama-Push": os.environ["KURAMA_PUSH"],
        "X-Kurama-Secret": os.environ["KURAMA_SECRET"],
        "X-Git-Objects": os.environ.get("GIT_OBJECT_DIRECTORY", ""),
        "X-Git-Alternates": os.environ.get("GIT_ALTERNATE_OBJECT_DIRECTORIES", ""),
        "X-Git-Quarantine": os.environ.get("GIT_QUARANTINE_PATH", ""),
    }
    lines = [f"POST /internal/{hook} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def _lines(answer: BinaryIO) -> Iterator[bytes]:
    """The lines of a chunked answer: each chunk is whole lines."""
    while size := _size(answer.readline()):
        yield from answer.read(size).splitlines(keepends=True)
        answer.readline()


def _size(line: bytes) -> int:
    """A chunk's size; 0 at the end, which a cut connection or another answer is too."""
    try:
        return int(line, 16)
    except ValueError:
        return 0


def _relay(answer: Iterable[bytes]) -> int:
    """Print each line as it comes; the one that says `exit N` is the end."""
    for line in answer:
        if line.startswith(_EXIT) and line.endswith(b"\n"):
            return int(line[len(_EXIT) :])
        try:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # Nobody reads any more. What was asked for goes on, and so does waiting for its end.
            continue
    print("The connection to Kurama was cut; `kurama releases` shows how it ended.")
    return 1
