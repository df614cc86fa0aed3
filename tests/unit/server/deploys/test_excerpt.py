"""What is shown of a replica that failed."""

from flask_kurama.parts import split
from flask_kurama.record import Record, encode
from flask_kurama.uuid7 import uuid7
from server.deploys.excerpt import cause, readable, without_libraries

_FAILED = """[7] [INFO] Booting worker with pid: 7
Exception in worker process
Traceback (most recent call last):
  File "/venvs/x/lib/python3.11/site-packages/gunicorn/arbiter.py", line 752, in spawn_worker
    worker.init_process()
    ~~~~~~~~~~~~~~~~~~~^^
  File "<frozen importlib._bootstrap>", line 1206, in _gcd_import
  File "/app/board.py", line 5, in <module>
    key = os.environ["SECRET_KEY"]
          ~~~~~~~~~~^^^^^^^^^^^^^^
  File "<frozen os>", line 679, in __getitem__
KeyError: 'SECRET_KEY'
Traceback (most recent call last):
  File "/usr/lib/python3.11/runpy.py", line 1, in run
    main()
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>
web.1 ended with status 3""".splitlines()


def line(message: str) -> str:
    """A record's line with this message."""
    record = Record(
        "2026-01-31T12:00:00.000000Z", "ERROR", *(None, None), message, *(None,) * 4, uuid7(),
        *(None,) * 5,
    )  # fmt: skip
    return encode(record).decode().rstrip("\n")


def test_of_a_traceback_the_apps_own_frames_are_shown() -> None:
    """gunicorn's and importlib's are many, and none of them is wrong."""
    assert list(without_libraries(_FAILED)) == [
        "[7] [INFO] Booting worker with pid: 7",
        "Exception in worker process",
        "Traceback (most recent call last):",
        '  File "/app/board.py", line 5, in <module>',
        '    key = os.environ["SECRET_KEY"]',
        "          ~~~~~~~~~~^^^^^^^^^^^^^^",
        "KeyError: 'SECRET_KEY'",
        "Traceback (most recent call last):",
        "gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>",
        "web.1 ended with status 3",
    ]


def test_the_cause_is_the_first_exception() -> None:
    """What follows came of it."""
    assert cause(_FAILED) == "KeyError: 'SECRET_KEY'"
    assert cause(["Traceback (most recent call last):", "flask.cli.NoAppException"]) == (
        "flask.cli.NoAppException"
    )


def test_no_cause_is_made_up() -> None:
    """Of output without a traceback, or with one that is cut off."""
    assert cause([]) == ""
    assert cause(["ERROR: something", "KeyError: 'x'"]) == ""
    assert cause(["Traceback (most recent call last):", "a sentence of somebody's"]) == ""
    assert len(cause(["Traceback (most recent call last):", "Error: " + "x" * 9999])) == 160


def test_records_are_read_as_their_messages() -> None:
    """The last lines of a replica that failed, among them what it only printed."""
    lines = ["Starting", line("Traceback:\n  boom"), "{not a record}"]
    assert list(readable(lines)) == ["Starting", "Traceback:", "  boom", "{not a record}"]


def test_records_in_parts_are_put_together() -> None:
    """A traceback is easily longer than a line may be."""
    parts = [one.decode().rstrip("\n") for one in split(line("x" * 9000).encode() + b"\n")]
    assert len(parts) > 2
    assert list(readable(parts)) == ["x" * 9000]
    assert list(readable(parts[1:])) == []
