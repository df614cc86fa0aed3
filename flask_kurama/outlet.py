"""The file descriptor that records leave by, written to without ever waiting.

Which lines, and what becomes of those that it does not take now, is stream.py's matter.

It is file descriptor 1 itself, as for `print`. A duplicate of our own would outlive an application
that closes or redirects its stdout, but a program that closes all descriptors, as daemons do, and
opens a database connection with the same number would get our lines into it. With 1 the records go
where the application's prints go, also when it has pointed 1 elsewhere.
"""

from __future__ import annotations

import errno
import os
import select
import stat

# O_NONBLOCK belongs to the open file, which the application's prints share, and prints break on
# it. RWF_NOWAIT says the same for one write; pipes know it since Linux 6.4.
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)
_NOT_KNOWN = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ESPIPE, errno.EPERM)
_GONE = (errno.EPIPE, errno.EBADF, errno.ECONNRESET)

# What a pipe takes whole, whoever else writes to it (PIPE_BUF of Linux).
PIPE_BYTES = 4096


class Gone(Exception):
    """Nobody will ever read what is written here."""


class Outlet:
    """Puts lines of at most PIPE_BUF bytes, each whole, into a file descriptor."""

    def __init__(self, fd: int = 1) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._nowait = _NOWAIT if _is_pipe(fd) else None

    def put(self, line: bytes) -> None:
        """Write `line` if that takes no waiting.

        BlockingIOError when it would, Gone when the reader has gone, OSError when it is lost.
        """
        try:
            if self._nowait is not None:
                os.pwritev(self._fd, (line,), -1, self._nowait)
            else:
                self._put_if_ready(line)
        except BlockingIOError:
            if self._nowait is None or _is_pipe(self._fd):
                raise
            # Somebody has pointed the descriptor elsewhere, where NOWAIT may mean "never".
            self._nowait = None
            self.put(line)
        except OSError as fault:
            if self._nowait is not None and fault.errno in _NOT_KNOWN:
                self._nowait = None
                self.put(line)
            elif fault.errno in _GONE:
                raise Gone from fault
            else:
                raise

    def _put_if_ready(self, line: bytes) -> None:
        """Write when there is room for PIPE_BUF bytes.

        Where several processes share a pipe another may take the room in between. Then this write
        waits for the reader once; the next finds the pipe full and does not.
        """
        if not self._poll.poll(0):
            raise BlockingIOError(errno.EAGAIN, "no room")
        # A pipe takes a short line whole; a file on a full disk may take only its start.
        while line:
            line = line[os.write(self._fd, line) :]


def _is_pipe(fd: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False
