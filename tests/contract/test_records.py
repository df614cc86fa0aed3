"""Records: what the library writes is what the pipeline reads, today's lines and yesterday's."""

import json
import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from flask_kurama.parts import LINE, Joiner
from flask_kurama.record import EXTRA_FIELDS, TEN_FIELDS, Record, decode
from server.pipeline.assembler import Assembler, Line
from server.pipeline.origin import Origin
from server.store.records import COLUMNS

_GOLDEN = Path(__file__).parent / "golden"
_ROOT = Path(__file__).parents[2]
_AT = datetime(2026, 11, 23, tzinfo=UTC)
_ORIGIN = Origin("shop", "web", "web.1", 12, "local")

# An application that knows nothing of Kurama; an import hook instruments it, as in an image.
_PROGRAM = """
import flask_kurama.auto
import logging, sys
from flask import Flask

app = Flask("shop")

@app.get("/items/<int:number>")
def item(number):
    print("printed beside", flush=True)
    app.logger.warning("stock of %s is low", number)
    return "ok"

@app.get("/boom")
def boom():
    raise ValueError('bad "thing" \\N{SPOUTING WHALE}')

@app.get("/long")
def long():
    app.logger.error('%s', 'é"\\n' * 9000)
    return "long"

client = app.test_client()
headers = {"X-Request-Id": "rid-1", "X-Request-Start": "t=1"}
client.get("/items/3?q=a%20b&password=hunter2", headers=headers, buffered=True)
client.get("/boom", buffered=True)
client.get("/long", buffered=True)
client.get("/nowhere", buffered=True)
logging.getLogger("other").error("odd \\x00 and \\ud800")
"""


@pytest.fixture(scope="module")
def written() -> bytes:
    """What a real process wrote to a pipe."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_PROGRAM)],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def records(written: bytes) -> list[Record]:
    """What the pipeline makes of it."""
    return assembled(written)


def assembled(output: bytes) -> list[Record]:
    """The pipeline's records of a replica's output."""
    assembler, found = Assembler(), list[Record]()
    for number, line in enumerate(output.decode("utf-8", "replace").splitlines()):
        found += assembler.feed(Line(line, "web.1", number, _AT))
    return [*found, *assembler.flush()]


def one(records: list[Record], start: str) -> Record:
    """The record whose message begins like this."""
    [found] = [record for record in records if record.message.startswith(start)]
    return found


def test_a_request_in_ten_fields(records: list[Record]) -> None:
    """Each with its type, and what belongs to a request beside them."""
    record = one(records, "GET /items/3")
    moment = datetime.fromisoformat(record.timestamp)
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 300
    assert record.timestamp.endswith("Z")
    assert record.level == "INFO"
    assert record.url == "http://localhost/items/3?q=a%20b&password=[redacted]"
    assert record.status == 200
    assert record.message.startswith("GET /items/3 200 in ")
    for name in ("cpu_percent", "disk_percent", "swap_percent", "memory_percent"):
        value = getattr(record, name)
        assert value is None or 0 <= value <= 100, name
    assert record.disk_percent is not None
    assert record.uuid[14] == "7"
    assert (record.method, record.route) == ("GET", "/items/<int:number>")
    assert record.duration_ms is not None
    assert record.request_id == "rid-1"


def test_what_an_application_logs(records: list[Record]) -> None:
    """It carries the request's URL and id, and its own level; errors carry their traceback."""
    low = one(records, "stock of 3 is low")
    assert (low.level, low.request_id, low.status) == ("WARNING", "rid-1", None)
    boom = one(records, "GET /boom")
    assert (boom.level, boom.status) == ("ERROR", 500)
    assert one(records, "GET /nowhere").level == "WARNING"
    told = [r for r in records if 'ValueError: bad "thing" 🐳' in r.message]
    assert len(told) == 1
    assert "Traceback (most recent call last)" in told[0].message


def test_what_is_printed_becomes_a_record(records: list[Record]) -> None:
    """The line is its message, at INFO, with the time when it was read."""
    printed = one(records, "printed beside")
    assert (printed.level, printed.message) == ("INFO", "printed beside")
    assert printed.timestamp == "2026-11-23T00:00:00.000000Z"
    assert printed.url is None


def test_long_records_arrive_whole(written: bytes, records: list[Record]) -> None:
    """On the pipe no line was longer than a pipe takes whole; the message is as it was logged."""
    assert max(len(line) for line in written.splitlines(keepends=True)) <= LINE
    assert b'{"kurama_part":[' in written
    assert one(records, 'é"\n').message == 'é"\n' * 9000


def test_what_no_database_takes(records: list[Record]) -> None:
    """NUL and lone surrogates have become characters that can be stored."""
    odd = one(records, "odd ")
    assert "\0" not in odd.message
    assert odd.message.encode() == odd.message.encode("utf-8", "strict")


def test_no_record_is_there_twice(records: list[Record]) -> None:
    """Each has a UUID of its own, those that the pipeline made included."""
    assert len({record.uuid for record in records}) == len(records)


def test_reading_again_makes_the_same_records(written: bytes, records: list[Record]) -> None:
    """After a crash of the collector the same output gives the same records."""
    assert assembled(written) == records


def test_yesterdays_lines_are_read_today() -> None:
    """The golden file, interleaved parts and prints included: the pipeline and the library agree.

    A change that breaks this breaks every app that runs on an older library.
    """
    golden = (_GOLDEN / "records.ndjson").read_bytes()
    wanted = [Record(**fields) for fields in json.loads((_GOLDEN / "records.json").read_text())]
    found = [r for r in assembled(golden) if r.message != "printed between"]
    assert found == wanted
    joiner = Joiner(lambda: 0.0)
    wholes = (joiner.join(line) for line in golden.splitlines(keepends=True))
    assert [r for whole in wholes if whole and (r := decode(whole))] == wanted


def test_the_platform_adds_where_it_comes_from(records: list[Record]) -> None:
    """A stamped record has the columns of the table, the ten first; an app can't forge them."""
    for record in records:
        stamped: dict[str, Any] = orjson.loads(_ORIGIN.stamp(record))
        assert list(stamped) == list(COLUMNS)
        assert tuple(stamped)[:15] == TEN_FIELDS + EXTRA_FIELDS
        assert (stamped["app"], stamped["release"]) == ("shop", 12)
        assert decode(_ORIGIN.stamp(record)) == record
    forged = json.dumps({**json.loads(_ORIGIN.stamp(records[0])), "app": "others", "release": 99})
    [again] = assembled(forged.encode())
    assert orjson.loads(_ORIGIN.stamp(again))["app"] == "shop"
