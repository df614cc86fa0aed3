"""What the platform adds to a record, and an application can't say itself."""

import json

from flask_kurama.record import FIELDS, Record, decode, encode
from flask_kurama.uuid7 import uuid7
from server.pipeline.origin import Origin
from server.store.records import COLUMNS

RECORD = Record(
    "2026-01-31T12:00:00.000000Z", "INFO", "http://h/?a=1", 200, 'a "quoted" ü\nline', 1.0, 2.0,
    3.0, 4.0, uuid7(), "GET", "/", 1.5, 0.5, "r",
)  # fmt: skip


def test_the_origin_stands_behind_the_records_own_fields() -> None:
    """One line, still JSON, still the same record."""
    line = Origin("shop", "web", "web.1", 12, "local").stamp(RECORD)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    found = json.loads(line)
    assert list(found) == [*FIELDS, "app", "process", "replica", "release", "worker"]
    assert [found[key] for key in ("app", "process", "replica", "release", "worker")] == [
        "shop",
        "web",
        "web.1",
        12,
        "local",
    ]
    assert decode(line) == RECORD


def test_outside_the_platform_there_is_neither_release_nor_worker() -> None:
    """They are null, not missing: a key is a contract."""
    found = json.loads(Origin("shop", "external", "external").stamp(RECORD))
    assert (found["release"], found["worker"]) == (None, None)


def test_what_an_application_claims_is_overruled() -> None:
    """Whatever it writes into its own record."""
    forged = json.loads(encode(RECORD)) | {"app": "bank", "release": 99, "worker": "mine"}
    record = decode(json.dumps(forged))
    assert record is not None
    assert json.loads(Origin("shop", "web", "web.1", 1, "local").stamp(record))["app"] == "shop"


def test_a_stamped_record_has_every_column_of_the_table() -> None:
    """Persistence takes them by these names."""
    assert set(json.loads(Origin("a", "b", "c").stamp(RECORD))) == set(COLUMNS)


def test_hostile_names_can_not_break_the_line() -> None:
    """A replica's name from outside is escaped."""
    found = json.loads(Origin("shop", "web", '","app":"bank\n').stamp(RECORD))
    assert found["app"] == "shop"
    assert found["replica"] == '","app":"bank\n'
