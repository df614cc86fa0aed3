"""What git's hooks ask of the interface, and what they make of its answer."""

import io
import socket
import sys
import threading

import pytest

from hooks.ask import ask, converse

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(text: bytes) -> bytes:
    """One chunk of an answer."""
    return b"%x\r\n%s\r\n" % (len(text), text)


def answered(pieces: list[bytes], request: bytes = b"POST /\r\n\r\n") -> tuple[int, bytes]:
    """The exit status that an interface's answer makes, and what the interface was sent."""
    ours, theirs = socket.socketpair()
    asked = bytearray()

    def interface() -> None:
        with theirs:
            asked.extend(theirs.recv(65536))
            for piece in pieces:
                theirs.sendall(piece)

    thread = threading.Thread(target=interface)
    thread.start()
    with ours:
        ours.settimeout(5)
        status = converse(ours, request)
    thread.join()
    return status, bytes(asked)


@pytest.mark.parametrize("status", [0, 1, 17])
def test_the_answers_last_line_is_the_hooks_status(
    capfdbinary: pytest.CaptureFixture[bytes], status: int
) -> None:
    """What comes before is printed, and it is not."""
    said = [HEAD, chunk(b"-----> Building\n"), chunk(b"exit %d\n" % status), END]
    assert answered(said)[0] == status
    assert capfdbinary.readouterr().out == b"-----> Building\n"


def test_lines_may_share_a_chunk_and_come_in_any_pieces(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """At every byte where the network may cut."""
    whole = HEAD + chunk("one\n\n  zwei: ü\n".encode()) + chunk(b"exit 3\n") + END
    for at in range(1, len(whole)):
        assert answered([whole[:at], whole[at:]])[0] == 3
        assert capfdbinary.readouterr().out == "one\n\n  zwei: ü\n".encode()


def test_a_tools_own_exit_is_not_the_end(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Its output is indented: only the interface's own line begins with it."""
    said = [HEAD, chunk(b"       exit 0\n"), chunk(b"exiting\n"), chunk(b"exit 1\n"), END]
    assert answered(said)[0] == 1
    assert capfdbinary.readouterr().out == b"       exit 0\nexiting\n"


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [HEAD],
        [HEAD, chunk(b"one\n")],
        [HEAD, b"7\r\nexit "],
        [HEAD, b"7\r\nexit 0"],
        [HEAD, chunk(b"one\n"), END],
        [HEAD, chunk(b"one\n"), b"5\r\nex"],
        [HEAD, b"zz\r\n"],
    ],
)
def test_a_cut_answer_is_a_failure(
    capfdbinary: pytest.CaptureFixture[bytes], pieces: list[bytes]
) -> None:
    """Without a last line nobody knows how it ended; it says where to look."""
    assert answered(pieces)[0] == 1
    assert b"The connection to Kurama was cut" in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 403 Forbidden\r\ncontent-length: 13\r\n\r\n{"error": {}}',
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
        b"HTTP/1.1 422 Unprocessable\r\n\r\nexit 0\n",
    ],
)
def test_an_answer_that_is_none_is_a_failure(
    capfdbinary: pytest.CaptureFixture[bytes], answer: bytes
) -> None:
    """An interface that was restarted knows nothing of the push: a sentence, no traceback."""
    assert answered([answer])[0] == 1
    assert b"Push again" in capfdbinary.readouterr().out


def test_who_pushes_may_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads any more: the hook waits for the end all the same."""

    class Gone(io.BytesIO):
        """A pipe without a reader."""

        def write(self, _: object) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Gone()))
    assert answered([HEAD, chunk(b"one\n"), chunk(b"two\n"), chunk(b"exit 7\n"), END])[0] == 7


def test_outside_of_a_push_a_hook_refuses(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes into the repository without the interface."""
    monkeypatch.delenv("KURAMA_INTERFACE", raising=False)
    assert ask("pre-receive") == 1
    assert "this repository takes nothing else" in capsys.readouterr().out


class Stdin:
    """What git writes to a hook."""

    def __init__(self, text: bytes) -> None:
        self.buffer = io.BytesIO(text)


def test_the_interface_is_told_the_push_and_gits_folders(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the updates as git says them: that is all that a hook knows."""
    environment = {
        "KURAMA_INTERFACE": "127.0.0.1:5001",
        "KURAMA_TIMEOUT": "60",
        "KURAMA_PUSH": "p1",
        "KURAMA_SECRET": "hush",
        "GIT_OBJECT_DIRECTORY": "/objects",
        "GIT_QUARANTINE_PATH": "/quarantine",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GIT_ALTERNATE_OBJECT_DIRECTORIES", raising=False)
    monkeypatch.setattr(sys, "stdin", Stdin(b"old new refs/heads/main\n"))
    ours, theirs = socket.socketpair()
    addresses = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        addresses.append((address, timeout))
        return ours

    monkeypatch.setattr(socket, "create_connection", connect)
    theirs.sendall(HEAD + chunk(b"exit 0\n") + END)
    with theirs:
        assert ask("pre-receive") == 0
        head, _, body = theirs.recv(65536).partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /internal/pre-receive HTTP/1.1"
    assert {line.partition(":")[0]: line.partition(":")[2].strip() for line in headers} == {
        "Host": "127.0.0.1",
        "Content-Length": "24",
        "X-Kurama-Push": "p1",
        "X-Kurama-Secret": "hush",
        "X-Git-Objects": "/objects",
        "X-Git-Alternates": "",
        "X-Git-Quarantine": "/quarantine",
    }
    assert body == b"old new refs/heads/main\n"
    assert addresses == [(("127.0.0.1", 5001), 60.0)]
    assert "hush" not in capsys.readouterr().out


def test_an_interface_that_is_away_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, as the push's output."""

    def refuse(*_: object) -> socket.socket:
        raise ConnectionRefusedError("Connection refused")

    for name in ("KURAMA_PUSH", "KURAMA_SECRET"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KURAMA_INTERFACE", "127.0.0.1:5001")
    monkeypatch.setenv("KURAMA_TIMEOUT", "60")
    monkeypatch.setattr(sys, "stdin", Stdin(b""))
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert ask("post-receive") == 1
    assert capsys.readouterr().out.count("\n") == 1
