"""Times in the logs' API: what a caller may write, and how a record's own is written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from server.api.logs import as_json, moment
from server.errors import RequestRejected


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T13:00:00+01:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31 12:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_a_time_is_one_whatever_its_zone(text: str, at: datetime) -> None:
    """Without one it is UTC."""
    assert moment(text) == at


def test_no_time_is_none() -> None:
    """The filter is off."""
    assert moment(None) is None


def test_so_long_ago_is_a_time() -> None:
    """Between what it was before and what it is now."""
    before = datetime.now(UTC)
    found = moment("5m")
    assert found is not None
    assert before <= found + timedelta(minutes=5) <= datetime.now(UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "5x", "2026-13-01", "9" * 500, "9999999w"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """Also what is longer ago than there is; with how it is written."""
    with pytest.raises(RequestRejected, match="is no time") as caught:
        moment(text)
    assert "Write 5m" in caught.value.hint


def test_a_records_time_is_written_in_utc_and_microseconds() -> None:
    """As the library in the app writes it, whatever zone PostgreSQL speaks in."""
    zone = timezone(timedelta(hours=1))
    row = {"timestamp": datetime(2026, 1, 31, 13, tzinfo=zone), "message": "x"}
    assert as_json(row) == {"timestamp": "2026-01-31T12:00:00.000000Z", "message": "x"}
