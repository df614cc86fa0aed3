"""The descriptor: whole lines or none, and never a wait."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from flask_kurama.outlet import PIPE_BYTES, Gone, Outlet


class Pipe:
    """A pipe of 16 pages, with an outlet into it."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.outlet = Outlet(self.writer)

    def fill(self) -> int:
        """Put full lines until it takes no more; how many."""
        for count in range(100):
            try:
                self.outlet.put(b"x" * (PIPE_BYTES - 1) + b"\n")
            except BlockingIOError:
                return count
        pytest.fail("a pipe took everything")

    def close(self) -> None:
        for fd in (self.reader, self.writer):
            with suppress(OSError):
                os.close(fd)


@pytest.fixture(params=["nowait", "poll"])
def pipe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    """With the kernel's NOWAIT where it has it, and as on kernels that have it not."""
    if request.param == "poll":
        monkeypatch.setattr("flask_kurama.outlet._NOWAIT", None)
    made = Pipe()
    yield made
    made.close()


def test_a_line_is_written(pipe: Pipe) -> None:
    """As it is."""
    pipe.outlet.put(b"hello\n")
    assert os.read(pipe.reader, 100) == b"hello\n"


def test_a_full_pipe_takes_nothing_and_holds_nobody_up(pipe: Pipe) -> None:
    """The line that it refuses is not in it, not even its start."""
    count = pipe.fill()
    assert count == fcntl.fcntl(pipe.writer, fcntl.F_GETPIPE_SZ) // PIPE_BYTES
    taken = b""
    while len(taken) < count * PIPE_BYTES:
        taken += os.read(pipe.reader, 1 << 20)
    assert taken.count(b"\n") == count
    pipe.outlet.put(b"next\n")
    assert os.read(pipe.reader, 100) == b"next\n"


def test_the_applications_own_writes_still_block(pipe: Pipe) -> None:
    """O_NONBLOCK, which would break its prints, is not set."""
    pipe.outlet.put(b"x\n")
    assert os.get_blocking(pipe.writer)


def test_a_reader_that_has_gone_is_told_apart(pipe: Pipe) -> None:
    """Broken pipe: nobody will read again."""
    os.close(pipe.reader)
    with pytest.raises(Gone):
        pipe.outlet.put(b"x\n")


def test_a_closed_descriptor_is_gone_too(pipe: Pipe) -> None:
    """An application may close its stdout."""
    os.close(pipe.writer)
    with pytest.raises(Gone):
        pipe.outlet.put(b"x\n")


def test_a_descriptor_that_now_is_a_file_is_written_to(pipe: Pipe, tmp_path: Path) -> None:
    """stdout may be pointed elsewhere while the application runs."""
    pipe.outlet.put(b"to the pipe\n")
    with (tmp_path / "out").open("wb") as file:
        os.dup2(file.fileno(), pipe.writer)
    pipe.outlet.put(b"to the file\n")
    assert (tmp_path / "out").read_bytes() == b"to the file\n"
    assert os.read(pipe.reader, 100) == b"to the pipe\n"


def test_a_file_that_never_takes_without_waiting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Some filesystems refuse NOWAIT each time: what is no pipe any more is written to plainly."""

    def pwritev(fd: int, lines: object, offset: int, flags: int) -> int:
        raise BlockingIOError

    made = Pipe()
    monkeypatch.setattr(os, "pwritev", pwritev)
    with pytest.raises(BlockingIOError):
        made.outlet.put(b"the pipe is full\n")
    with (tmp_path / "out").open("wb") as file:
        os.dup2(file.fileno(), made.writer)
    made.outlet.put(b"to the file\n")
    assert (tmp_path / "out").read_bytes() == b"to the file\n"
    made.close()


def test_a_kernel_that_does_not_know_nowait_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its refusal is not the application's concern, and is not asked for again."""
    asked = []

    def pwritev(fd: int, lines: object, offset: int, flags: int) -> int:
        asked.append(flags)
        raise OSError(95, "not supported")

    made = Pipe()
    monkeypatch.setattr(os, "pwritev", pwritev)
    made.outlet.put(b"one\n")
    made.outlet.put(b"two\n")
    assert os.read(made.reader, 100) == b"one\ntwo\n"
    assert len(asked) == 1
    made.close()


def test_a_full_disk_loses_a_line_and_says_so() -> None:
    """It is no reason to stop for ever, as a reader that has gone is."""
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space"):
        Outlet(full).put(b"x\n")
    os.close(full)
