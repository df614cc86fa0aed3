"""An ingest for tests of who sends to it: a socket that counts lines, and no process."""

import json
import socket
import threading
from typing import Any

_READ = 256 * 1024


class IngestDouble:
    """Keeps what it is sent; `connect` is what the forwarder is given.

    `breaks` is how many connections are cut after their first batch, unanswered.
    """

    def __init__(self, breaks: int = 0, refusal: str = "") -> None:
        self.headers: list[dict[str, Any]] = []
        self.taken: list[bytes] = []
        self.breaks = breaks
        self.refusal = refusal
        self.is_there = True
        self._threads: list[threading.Thread] = []

    def connect(self, _address: tuple[str, int], timeout: float) -> socket.socket:
        """A connection to it, or OSError where it isn't there."""
        if not self.is_there:
            raise ConnectionRefusedError("nobody listens")
        near, far = socket.socketpair()
        near.settimeout(timeout)
        thread = threading.Thread(target=self._serve, args=(far,), daemon=True)
        thread.start()
        self._threads.append(thread)
        return near

    def _serve(self, far: socket.socket) -> None:
        with far, far.makefile("rb") as lines:
            self.headers.append(json.loads(lines.readline()))
            if self.refusal:
                far.sendall(json.dumps({"error": self.refusal}).encode() + b"\n")
                return
            far.sendall(b'{"ok":true}\n')
            rest = b""
            # As ingest itself: an answer for each read, with the lines that it completed.
            while data := lines.read1(_READ):
                if self.breaks:
                    self.breaks -= 1
                    return
                *whole, rest = (rest + data).split(b"\n")
                self.taken += [line + b"\n" for line in whole]
                far.sendall(b"%d\n" % len(whole))

    @property
    def records(self) -> list[dict[str, Any]]:
        """What it was sent, read."""
        return [json.loads(line) for line in self.taken]
