"""A channel carries the bytes of the wire to one agent and back."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from server.errors import Unreachable

_CLOSE_PATIENCE_S = 5.0


class Channel(Protocol):
    """Two streams of bytes, open until `close` or until the other end is gone."""

    @property
    def requests(self) -> BinaryIO:
        """Where to write."""

    @property
    def replies(self) -> BinaryIO:
        """Where to read."""

    @property
    def diagnosis(self) -> str:
        """Where to look when the agent is gone."""

    def close(self) -> None:
        """Close both ways; the agent ends by itself."""


Open = Callable[[], Channel]
"""Opens a channel; raises Unreachable."""


class LocalChannel:
    """An agent on this machine, as a child process on two pipes."""

    def __init__(self, home: Path, socket: Path, log: Path) -> None:
        command = [sys.executable, "-m", "agent", "--home", str(home), "--socket", str(socket)]
        self.diagnosis = f"What the agent said last is in {log}."
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with log.open("ab") as errors:
                # A session of its own: a Ctrl-C in our terminal is not meant for it.
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                )
        except OSError as error:
            raise Unreachable(f"The local agent can't be started: {error}") from error

    @property
    def requests(self) -> BinaryIO:
        """The agent's stdin."""
        assert self._process.stdin is not None  # noqa: S101 - Popen was asked for a pipe
        return self._process.stdin  # type: ignore[return-value]

    @property
    def replies(self) -> BinaryIO:
        """The agent's stdout."""
        assert self._process.stdout is not None  # noqa: S101 - as above
        return self._process.stdout  # type: ignore[return-value]

    def close(self) -> None:
        """Close its stdin and wait for it to end."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(_CLOSE_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
