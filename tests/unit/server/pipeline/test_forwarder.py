"""The collector's connection to ingest: what returns is safe, what isn't safe raises."""

import pytest

from server.errors import StreamError
from server.pipeline.forwarder import Forwarder
from tests.unit.server.ingest_double import IngestDouble


def forwarder(ingest: IngestDouble) -> Forwarder:
    """One that leads there."""
    return Forwarder("ingest", 5140, "hush", ingest.connect)


def test_lines_are_sent_over_one_connection() -> None:
    """Which is opened by the first, and greets with the token."""
    ingest = IngestDouble()
    one = forwarder(ingest)
    one.send([b"a\n", b"b\n"])
    one.send([b"c\n"])
    assert ingest.taken == [b"a\n", b"b\n", b"c\n"]
    assert ingest.headers == [{"token": "hush", "acks": True}]
    one.close()


def test_nothing_to_send_needs_no_answer() -> None:
    """It returns."""
    one = forwarder(IngestDouble())
    one.send([])
    one.close()


def test_more_than_a_megabyte_goes_in_batches() -> None:
    """Each answered before the next: two full buffers would wait for each other for ever."""
    ingest = IngestDouble()
    one = forwarder(ingest)
    lines = [b"%06d" % n + b"x" * 1000 + b"\n" for n in range(3000)]
    one.send(lines)
    assert ingest.taken == lines
    one.close()


def test_a_lost_connection_is_told_and_opened_again() -> None:
    """What was sent into it is to be sent again."""
    ingest = IngestDouble(breaks=1)
    one = forwarder(ingest)
    with pytest.raises(StreamError, match="Ingest at ingest:5140 didn't take the records"):
        one.send([b"a\n"])
    one.send([b"a\n"])
    assert ingest.taken == [b"a\n"]
    assert len(ingest.headers) == 2
    one.close()


def test_an_ingest_that_is_away_is_told() -> None:
    """As an error of the stream."""
    ingest = IngestDouble()
    ingest.is_there = False
    with pytest.raises(StreamError, match="nobody listens"):
        forwarder(ingest).send([b"a\n"])


def test_a_refusal_is_told_in_ingests_words() -> None:
    """Without the token."""
    with pytest.raises(StreamError, match="a wrong token") as caught:
        forwarder(IngestDouble(refusal="a wrong token")).send([b"a\n"])
    assert "hush" not in caught.value.message
