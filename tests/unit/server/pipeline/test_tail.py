"""Which live records a reader gets: those that the stored ones' filter would find."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from server.pipeline.tail import fits
from server.store.records import LEVELS, RecordFilter

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def line(**fields: Any) -> bytes:
    """A stamped record with these fields."""
    record = {
        "timestamp": "2026-01-31T12:00:00.000000Z",
        "level": "INFO",
        "message": "GET /Tea 200",
        "process": "web",
        "replica": "web.1",
    }
    return json.dumps(record | fields).encode()


def test_without_filters_everything_fits() -> None:
    """Of the app, which the bus has chosen already."""
    assert fits(line(), RecordFilter("shop"))


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_the_lowest_that_is_shown(level: str) -> None:
    """As in the table."""
    shown = [one for one in LEVELS if fits(line(level=one), RecordFilter("shop", level=level))]
    assert shown == list(LEVELS[LEVELS.index(level) :])


@pytest.mark.parametrize(
    ("process", "found"),
    [("web", True), ("web.1", True), ("web.2", False), ("worker", False), ("we", False)],
)
def test_a_process_is_a_kind_or_a_replica(process: str, *, found: bool) -> None:
    """Exactly."""
    assert fits(line(), RecordFilter("shop", process=process)) is found


@pytest.mark.parametrize(
    ("text", "found"),
    [("tea", True), ("TEA", True), ("coffee", False), ("T.a", False), ("%", False)],
)
def test_a_text_stands_in_the_message_in_any_case(text: str, *, found: bool) -> None:
    """As it is: neither a pattern nor an expression."""
    assert fits(line(), RecordFilter("shop", text=text)) is found


def test_a_span_of_time_has_its_beginning_and_not_its_end() -> None:
    """In microseconds; as the query of the table has it."""
    assert fits(line(), RecordFilter("shop", since=AT))
    assert not fits(line(), RecordFilter("shop", until=AT))
    later = datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC)
    assert not fits(line(), RecordFilter("shop", since=later))
    assert fits(line(), RecordFilter("shop", until=later))


def test_all_filters_hold_together() -> None:
    """One that doesn't is enough."""
    wanted = RecordFilter("shop", since=AT, level="INFO", process="web", text="tea")
    assert fits(line(), wanted)
    assert not fits(line(level="DEBUG"), wanted)
    assert not fits(line(message="other"), wanted)
