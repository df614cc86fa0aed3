"""The bus on a real NATS, and with it the way from a batch to PostgreSQL: once, whatever dies."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from server.errors import StreamError
from server.pipeline.bus import STREAM, Bus, connected, subject, token
from server.pipeline.storing import Storing
from server.pipeline.tail import Tails
from server.store.database import Database
from server.store.record_writer import RecordWriter
from server.store.records import RecordFilter, Records
from tests.engines import Engines, Process, run

_MAX_BYTES = 100_000_000
_RETENTION = timedelta(days=30)


@pytest.fixture(autouse=True)
def _empty_stream(engines: Engines, nats: Process) -> Iterator[None]:
    """Each test begins with a stream of its own."""
    yield

    async def delete() -> None:
        async with bus(engines) as one:
            await one._jetstream.delete_stream(STREAM)

    run(delete())


@contextlib.asynccontextmanager
async def bus(engines: Engines, max_bytes: int = _MAX_BYTES) -> AsyncIterator[Bus]:
    """A connection, with the stream there."""
    found = await connected(engines.bus_url, "test")
    await found.provide(max_bytes)
    try:
        yield found
    finally:
        await found.close()


class Persistence:
    """What server/persistence.py runs, with the counters of its heartbeat."""

    def __init__(self, one: Bus, database: Database, folder: Path) -> None:
        self.counters: dict[str, int] = {}
        self.state = ""
        self.quarantine = folder / "quarantine.ndjson"
        self.writer = RecordWriter(database)
        self.stopping = asyncio.Event()
        self.storing = Storing(one, self.writer, self._beat, _RETENTION, self.quarantine)

    def _beat(self, state: str = "ok", _detail: str = "", **counters: int) -> None:
        self.state = state
        self.counters |= counters

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Persistence"]:
        """Stores until the end of the block."""
        task = asyncio.create_task(self.storing.run(self.stopping))
        try:
            yield self
        finally:
            self.stopping.set()
            await asyncio.wait_for(task, 20)
            self.writer.close()

    async def reaches(self, **counters: int) -> None:
        """Wait until it has counted so much."""
        await until(lambda: counters.items() <= self.counters.items())


async def until(predicate: Any, timeout: float = 20.0) -> None:
    """`eventually` for a story: without blocking the loop that it waits for."""
    async with asyncio.timeout(timeout):
        while not predicate():
            await asyncio.sleep(0.05)


def batch(*messages: str) -> bytes:
    """A batch as ingest makes it."""
    return b"".join(line(message) for message in messages)


def line(message: str, **fields: Any) -> bytes:
    """A record's line."""
    now = datetime.now(UTC).isoformat()[:26] + "Z"
    own = {"timestamp": now, "uuid": str(uuid.uuid4()), "level": "INFO", "message": message}
    origin = {"app": "shop", "process": "web", "replica": "web.1"}
    return json.dumps({**own, **origin, **fields}).encode() + b"\n"


def stored(database: Database) -> list[str]:
    """The messages in PostgreSQL."""
    return sorted(r["message"] for r in Records(database).find(RecordFilter("shop"), 10_000))


def test_published_records_are_stored(engines: Engines, database: Database, tmp_path: Path) -> None:
    """Every line of every batch, also of what came before anybody stored; then none is left."""

    async def story() -> None:
        async with bus(engines) as one:
            await one.publish(subject("shop", "web"), batch("early", "bird"))
            assert await one.backlog("persistence") == 1
            async with Persistence(one, database, tmp_path).running() as persistence:
                for number in range(100):
                    await one.publish(subject("shop", "web"), batch(f"{number:03}"))
                await persistence.reaches(stored=102)
                await until(lambda: persistence.counters["stored"] == 102)
            assert await one.backlog("persistence") == 0

    run(story())
    assert stored(database) == [*(f"{n:03}" for n in range(100)), "bird", "early"]


def test_a_consumer_that_died_before_its_ack(
    engines: Engines, database: Database, tmp_path: Path
) -> None:
    """What it had stored comes again to the next one, and makes no second row."""

    async def story() -> None:
        async with bus(engines) as one:
            await _short_ack_wait(one, 1.0)
            for number in range(10):
                await one.publish(subject("shop", "web"), batch(str(number)))
            place = await one.pull("persistence")
            taken = await place.fetch(10, timeout=5)
            writer = RecordWriter(database)
            for message in taken[:5]:
                writer.write([json.loads(text) for text in message.data.splitlines()])
            writer.close()
            assert await one.backlog("persistence") == 10, "stored, but not acknowledged"
            async with Persistence(one, database, tmp_path).running() as persistence:
                await persistence.reaches(stored=5, repeated=5)
            assert await one.backlog("persistence") == 0

    run(story())
    assert stored(database) == [str(number) for number in range(10)]


def test_two_copies_share_the_work(engines: Engines, database: Database, tmp_path: Path) -> None:
    """Each batch goes to one of them; together they store all of it once."""

    async def story() -> None:
        async with (
            bus(engines) as one,
            bus(engines) as two,
            Persistence(one, database, tmp_path).running() as first,
            Persistence(two, database, tmp_path).running() as second,
        ):
            for number in range(100):
                await one.publish(subject("shop", "web"), batch(str(number)))
            both = (first, second)
            await until(lambda: sum(p.counters.get("stored", 0) for p in both) == 100)
            assert sum(p.counters.get("repeated", 0) for p in both) == 0

    run(story())
    assert len(stored(database)) == 100


def test_what_cannot_be_stored_is_set_aside(
    engines: Engines, database: Database, tmp_path: Path
) -> None:
    """No JSON, no record, a value that no column takes: their neighbours are stored."""
    good = [line(f"good {number}") for number in range(20)]
    bad = [
        b"no json\n", b"[]\n", b"{}\n", b'{"timestamp":"tomorrow"}\n', b"\xff\xfe\n", b"null\n",
        line("wide", status=10**6), line("no uuid", uuid="none"),
    ]  # fmt: skip
    mixed = [*good[:10], *bad[:4], *good[10:15], *bad[4:], *good[15:]]

    async def story() -> Path:
        async with bus(engines) as one:
            await one.publish(subject("shop", "web"), b"".join(mixed))
            persistence = Persistence(one, database, tmp_path)
            async with persistence.running():
                await persistence.reaches(stored=20, quarantined=len(bad))
            assert await one.backlog("persistence") == 0
            return persistence.quarantine

    kept = run(story()).read_text().splitlines()
    assert len(stored(database)) == 20
    assert len(kept) == len(bad)
    assert all(json.loads(text)["error"] for text in kept)


def test_the_bus_is_killed(
    engines: Engines, nats: Process, database: Database, tmp_path: Path
) -> None:
    """What it had acknowledged is there when it is back; connections mend themselves."""

    async def story() -> None:
        async with bus(engines) as one, bus(engines) as two:
            for number in range(50):
                await one.publish(subject("shop", "web"), batch(f"{number:02}"))
            async with Persistence(two, database, tmp_path).running() as persistence:
                await asyncio.to_thread(nats.kill)
                await until(lambda: not one.is_connected)
                with pytest.raises(StreamError):
                    await one.publish(subject("shop", "web"), batch("lost, and told so"))
                nats.start()
                await until(lambda: one.is_connected and two.is_connected)
                await _publish(one, batch("after"))
                await until(lambda: "after" in stored(database))
                await until(lambda: len(stored(database)) >= 51)
                assert persistence.state in ("ok", "degraded")

    run(story())
    found = [message for message in stored(database) if "lost" not in message]
    assert found == [*(f"{n:02}" for n in range(50)), "after"]


def test_a_full_stream_takes_no_more(engines: Engines, database: Database, tmp_path: Path) -> None:
    """Nothing of what it has goes for what comes; the sender is told, until there is room."""

    async def story() -> int:
        async with bus(engines, max_bytes=2_000_000) as one:
            taken = await _fill(one, "x" * 100_000)
            assert 10 < taken < 25
            assert await one.backlog("persistence") == taken
            async with Persistence(one, database, tmp_path).running() as persistence:
                await persistence.reaches(stored=taken)
                await _publish(one, batch("after"))
                await persistence.reaches(stored=taken + 1)
            return taken

    taken = run(story())
    assert [m[:2] for m in stored(database)] == [*(f"{n:02}" for n in range(taken)), "af"]


def test_a_stream_grows_with_its_setting(engines: Engines) -> None:
    """bus.max_bytes holds from the next start on; what is in the stream stays."""

    async def story() -> None:
        async with bus(engines, max_bytes=2_000_000) as one:
            await one.publish(subject("shop", "web"), batch("kept"))
            await one.provide(4_000_000)
            info = await one._jetstream.stream_info(STREAM)
            assert info.config.max_bytes == 4_000_000
            assert await one.backlog("persistence") == 1

    run(story())


def test_a_wrong_password(engines: Engines, nats: Process) -> None:
    """The bus takes nobody without it, and the error doesn't show the one that was tried."""
    wrong = engines.bus_url.replace("kurama:", "kurama:s3cret")

    async def story() -> None:
        with pytest.raises(StreamError) as caught:
            await Bus(wrong, "test").connect()
        assert "s3cret" not in caught.value.message

    run(story())


def test_names_become_words_of_a_subject() -> None:
    """Nothing that a record says of itself can subscribe to, or publish for, more than one."""
    assert subject("shop", "web") == "records.shop.web"
    for odd in ("*", ">", "a.b", "a b", "", "\0", "é", "x" * 1000, None):
        word = token(odd)
        assert word
        assert len(word) <= 63
        assert not set(word) & set(".*> \0\r\n\t")


def test_a_reader_of_live_records(engines: Engines) -> None:
    """It gets what fits its filter, of its app alone, and an end to what was before."""

    async def story() -> list[str]:
        found: list[str] = []
        async with bus(engines) as one:
            tail = Tails(one).follow(RecordFilter("shop", level="WARNING", text="NEEDLE"))
            assert await anext(tail) is None
            warning = line("a needle", level="WARNING")
            await one.publish(subject("shop", "web"), line("a needle") + warning)
            await one.publish(subject("shop2", "web"), warning)
            await one.publish(subject("shop", "worker"), line("needle 2", level="ERROR"))
            while len(found) < 2:
                got = await anext(tail)
                assert isinstance(got, bytes)
                found.append(json.loads(got)["message"])
            await tail.aclose()  # type: ignore[attr-defined]
        return found

    assert run(story()) == ["a needle", "needle 2"]


async def _fill(one: Bus, text: str) -> int:
    """Publish until the bus says that it takes no more; how many it took."""
    for taken in range(100):
        try:
            await one.publish(subject("shop", "web"), batch(f"{taken:02} {text}"))
        except StreamError:
            return taken
    pytest.fail("the stream has no bound")


async def _publish(one: Bus, data: bytes) -> None:
    """As ingest does: until the bus takes it."""
    async with asyncio.timeout(30):
        while True:
            try:
                await one.publish(subject("shop", "web"), data)
            except StreamError:
                await asyncio.sleep(0.1)
            else:
                return


async def _short_ack_wait(one: Bus, seconds: float) -> None:
    """Let what isn't acknowledged come again sooner than after half a minute."""
    info = await one._jetstream.consumer_info(STREAM, "persistence")
    config = info.config.evolve(ack_wait=seconds)
    await one._jetstream.add_consumer(STREAM, config)
