"""Records on a real PostgreSQL: each once, in its day, whatever its text."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flask_kurama.record import MESSAGE_BYTES
from server.errors import StoreError
from server.store.database import Database
from server.store.record_writer import RecordWriter
from server.store.records import COLUMNS, RecordFilter, Records
from tests.engines import Engines

_NOW = datetime.now(UTC)
_DAY = timedelta(days=1)


@pytest.fixture
def writer(database: Database) -> Iterator[RecordWriter]:
    """What persistence writes with."""
    found = RecordWriter(database)
    yield found
    found.close()


def record(message: str = "hello", at: datetime = _NOW, **fields: Any) -> dict[str, Any]:
    """A record as it comes from the bus."""
    bare: dict[str, Any] = dict.fromkeys(COLUMNS)
    bare |= {"timestamp": at.isoformat()[:26] + "Z", "uuid": str(uuid.uuid4())}
    bare |= {"level": "INFO", "message": message, "app": "shop", "process": "web"}
    return {**bare, "replica": "web.1", **fields}


def stored(database: Database, **filters: Any) -> list[dict[str, Any]]:
    """What can be read back."""
    return Records(database).find(RecordFilter(**{"app": "shop", **filters}), 10_000)


def messages(database: Database, **filters: Any) -> list[str]:
    """The messages of what can be read back, the oldest first."""
    return [row["message"] for row in stored(database, **filters)]


def partitions(engines: Engines, url: str) -> list[str]:
    """The days that have a table."""
    rows = engines.sql(
        "SELECT inhrelid::regclass::text FROM pg_inherits"
        " WHERE inhparent = 'records'::regclass ORDER BY 1",
        url,
    )
    return [row[0] for row in rows]


def test_every_field_comes_back(database: Database, writer: RecordWriter) -> None:
    """All twenty, with their types; None stays None, and the time keeps its microseconds."""
    full = record(
        'He said\t"no"\\N\\.\n\r\'é🐳',
        _NOW.replace(microsecond=123456),
        url="http://shop/\\N?x=1",
        status=404,
        cpu_percent=12.5,
        disk_percent=0.0,
        swap_percent=100.0,
        memory_percent=99.5,
        method="GET",
        route="/items/<int:id>",
        duration_ms=0.25,
        queue_ms=1.5,
        request_id="\\.",
        release=12,
        worker="local",
    )
    assert writer.write([full, record("empty", url=None)]) == 2
    found = {row["message"]: row for row in stored(database)}
    back = found[full["message"]]
    assert back.pop("timestamp") == datetime.fromisoformat(full.pop("timestamp"))
    assert back == full
    assert [found["empty"][name] for name in ("url", "status", "cpu_percent")] == [None] * 3


def test_a_batch_that_comes_twice(database: Database, writer: RecordWriter) -> None:
    """The second time nothing of it is new; of an overlapping one only the rest is."""
    batch = [record(str(number)) for number in range(100)]
    assert writer.write(batch) == 100
    assert writer.write(batch) == 0
    assert writer.write([*batch[50:], *(record(str(n)) for n in range(100, 130))]) == 30
    assert writer.write([batch[0], batch[0]]) == 0
    assert sorted(map(int, messages(database))) == list(range(130))
    twin = record("twin")
    assert writer.write([twin, twin]) == 1


def test_two_writers_with_the_same_batches(database: Database) -> None:
    """Copies of the service that store the same at once store it once."""
    batches = [[record(f"{turn}.{n}") for n in range(50)] for turn in range(8)]
    writers = [RecordWriter(database) for _ in range(2)]

    def write(writer: RecordWriter) -> int:
        return sum(writer.write(batch) for batch in batches)

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(write, writers)) == 400
    assert len(stored(database)) == 400
    for writer in writers:
        writer.close()


def test_each_day_has_its_partition(
    engines: Engines, url: str, database: Database, writer: RecordWriter
) -> None:
    """Made when it is wanted, also by two writers at once, and reused by the next."""
    days = [_NOW - _DAY, _NOW, _NOW + _DAY]
    second = RecordWriter(database)
    with ThreadPoolExecutor(2) as pool:
        made = pool.map(lambda w: w.write([record("x", day) for day in days]), [writer, second])
        assert list(made) == [3, 3]
    second.close()
    names = {f"records_{day:%Y%m%d}" for day in days}
    assert set(partitions(engines, url)) == names | {"records_default"}
    assert engines.sql("SELECT count(*) FROM records_default", url) == [(0,)]


def test_clocks_that_are_far_off(
    engines: Engines, url: str, database: Database, writer: RecordWriter
) -> None:
    """Such records are kept, without a table for each day that somebody claims."""
    odd = [_NOW.replace(year=year) for year in (1, 1970, 2199, 9999)]
    assert writer.write([record(str(at.year), at) for at in odd]) == 4
    assert partitions(engines, url) == ["records_default"]
    assert messages(database) == ["1", "1970", "2199", "9999"]


def test_a_partition_takes_over_what_came_before_it(
    engines: Engines, url: str, database: Database, writer: RecordWriter
) -> None:
    """Records of a day that were in the default one move, and are found and unique as before."""
    early = record("early")
    engines.sql(
        "INSERT INTO records (timestamp, uuid, app, process, replica, level, message)"  # noqa: S608
        f" VALUES ('{early['timestamp']}', '{early['uuid']}', 'shop', 'web', 'x', 'INFO', 'early')",
        url,
    )
    assert engines.sql("SELECT count(*) FROM records_default", url) == [(1,)]
    assert writer.write([early, record("late")]) == 1
    assert engines.sql("SELECT count(*) FROM records_default", url) == [(0,)]
    assert sorted(messages(database)) == ["early", "late"]


@pytest.mark.parametrize(
    "text",
    [
        "a\0b", "\ud800 alone", "\\", "\\N", "\\.", "\\x41", "\t\n\r\v\f\x1b\x7f", "\u2028\ufeff",
        "'; DROP TABLE records; --", "%s %(x)s {x} :x", "🐳" * 1000, "x" * MESSAGE_BYTES, "",
        "é" * 500_000,
    ],
    ids=lambda text: ascii(text)[:20],
)  # fmt: skip
def test_odd_text(database: Database, writer: RecordWriter, text: str) -> None:
    """In any text column; its neighbours are stored, and only what can't be is replaced."""
    batch = [record("before"), record(text, url=text, route=text, replica=text), record("after")]
    assert writer.write(batch) == 3
    [found] = [row for row in stored(database) if row["message"] not in ("before", "after")]
    wanted = text.replace("\0", "\ufffd").replace("\ud800", "?")
    assert (found["message"], found["url"], found["replica"]) == (wanted,) * 3


@pytest.mark.parametrize(
    "wrong",
    [{"uuid": "none"}, {"status": 10**6}, {"release": 10**12}, {"level": None}, {"app": None}],
)
def test_a_record_that_is_refused(
    database: Database, writer: RecordWriter, wrong: dict[str, Any]
) -> None:
    """StoreError, nothing of its batch is stored, and the writer goes on with the next."""
    with pytest.raises(StoreError):
        writer.write([record("good"), record(**wrong)])
    assert stored(database) == []
    assert writer.write([record("good")]) == 1


def test_retention(engines: Engines, url: str, database: Database, writer: RecordWriter) -> None:
    """Days that ended before the limit go as a whole; the day that holds it stays."""
    writer.write([record(str(back), _NOW - back * _DAY) for back in range(5)])
    dropped = writer.drop_before(_NOW - 2 * _DAY)
    assert dropped == [f"records_{_NOW - back * _DAY:%Y%m%d}" for back in (4, 3)]
    assert messages(database) == ["2", "1", "0"]
    assert writer.write([record("late", _NOW - 4 * _DAY)]) == 1
    assert len(partitions(engines, url)) == 5


def test_records_are_found_by_filters(database: Database, writer: RecordWriter) -> None:
    """By app, time, level, process or replica, and text as it stands, wildcards included."""
    writer.write(
        [
            record("100% sure", _NOW - 3 * _DAY, level="DEBUG"),
            record("a_b\\c", level="WARNING", process="worker", replica="worker.2"),
            record("Axb", _NOW + timedelta(seconds=1), level="ERROR"),
            record("others", app="shop2", level="CRITICAL"),
        ]
    )
    assert messages(database) == ["100% sure", "a_b\\c", "Axb"]
    assert messages(database, app="shop2") == ["others"]
    assert messages(database, level="WARNING") == ["a_b\\c", "Axb"]
    assert messages(database, since=_NOW) == ["a_b\\c", "Axb"]
    assert messages(database, until=_NOW) == ["100% sure"]
    assert messages(database, process="worker") == ["a_b\\c"]
    assert messages(database, process="worker.2") == ["a_b\\c"]
    assert messages(database, text="0% s") == ["100% sure"]
    assert messages(database, text="A_B") == ["a_b\\c"]
    assert messages(database, text="b\\c") == ["a_b\\c"]
    assert messages(database, text="axb") == ["Axb"]
    assert [r["message"] for r in Records(database).find(RecordFilter("shop"), 1)] == ["Axb"]
