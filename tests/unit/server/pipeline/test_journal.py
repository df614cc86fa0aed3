"""How far the collector has come, on disk."""

from pathlib import Path

import pytest

from server.errors import StreamError
from server.pipeline.journal import Journal, Place, Segment


def test_places_outlive_the_collector(tmp_path: Path) -> None:
    """What `update` wrote a new journal reads."""
    place = Place("c7", (Segment("0", 120, 5.5), Segment("1", 80, 6.5)))
    Journal(tmp_path / "j").update({"shop-1": place, "shop-2": Place("c9")})
    again = Journal(tmp_path / "j")
    assert again.place("shop-1") == place
    assert again.cursors == {"shop-1": "c7", "shop-2": "c9"}


def test_an_unknown_stream_begins_at_its_beginning(tmp_path: Path) -> None:
    """And nothing is asked for by a cursor that isn't there."""
    journal = Journal(tmp_path / "j")
    assert journal.place("new") == Place("")
    journal.update({"new": Place("", (Segment("0", 10, 1.0),))})
    assert journal.cursors == {}


def test_what_is_forgotten_stays_forgotten(tmp_path: Path) -> None:
    """Also what was not there."""
    journal = Journal(tmp_path / "j")
    journal.update({"a": Place("1"), "b": Place("2")})
    journal.forget(["a", "never"])
    assert Journal(tmp_path / "j").cursors == {"b": "2"}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b"null", b'{"a": 1}', b'{"a": {"cursor": "1"}}']
)
def test_a_broken_journal_begins_anew(tmp_path: Path, content: bytes) -> None:
    """Records are read again rather than not at all; the UUIDs make most of them the same."""
    (tmp_path / "j").write_bytes(content)
    assert Journal(tmp_path / "j").cursors == {}


def test_a_journal_that_can_not_be_written_is_an_error(tmp_path: Path) -> None:
    """Of the stream: the collector tries again, and says so."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StreamError, match="can't be written"):
        Journal(tmp_path / "file" / "j").update({"a": Place("1")})


def test_an_update_replaces_the_file_at_once(tmp_path: Path) -> None:
    """A crash in the middle leaves the one before; nothing else lies about."""
    journal = Journal(tmp_path / "j")
    journal.update({"a": Place("1")})
    before = (tmp_path / "j").stat().st_ino
    journal.update({"a": Place("2")})
    assert (tmp_path / "j").stat().st_ino != before
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_a_pending_line_keeps_the_time_when_it_was_first_read() -> None:
    """By file and byte; what lies behind was never read before."""
    place = Place("c", (Segment("0", 100, 1.0), Segment("0", 200, 2.0), Segment("1", 50, 3.0)))
    times = [place.time_of("0", offset) for offset in (0, 99, 100, 199, 200)]
    assert times == [1.0, 1.0, 2.0, 2.0, None]
    assert place.time_of("1", 0) == 3.0
    assert place.time_of("2", 0) is None


def test_reaching_further_adds_a_segment_and_reaching_again_none() -> None:
    """A place is a value: the one before stays."""
    place = Place("c")
    first = place.reaching("0", 100, 1.0)
    assert first.reaching("0", 100, 9.0) is first
    assert first.reaching("0", 60, 9.0) is first
    assert first.reaching("0", 150, 2.0).pending == (Segment("0", 100, 1.0), Segment("0", 150, 2.0))
    assert place.pending == ()
