"""A failed deploy becomes a failed push: the report is held back, and turned."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.repos import pktline
from server.repos.pktline import FLUSH, packet
from server.repos.report import ReportHolder, progress

OK = packet(b"unpack ok\n") + packet(b"ok refs/heads/main\n") + FLUSH
SAID = [b"-----> Building v1\n", b"       done\n"]


def band(number: int, content: bytes) -> bytes:
    """A packet of one sideband."""
    return packet(bytes([number]) + content)


def stream(report: bytes = OK, piece: int = 65515) -> bytes:
    """What receive-pack writes: what the hooks say, the report in pieces, a flush."""
    pieces = [report[at : at + piece] for at in range(0, len(report), piece)]
    said = b"".join(band(2, line) for line in SAID)
    return said + b"".join(band(1, one) for one in pieces) + FLUSH


def bands(sent: bytes) -> tuple[bytes, bytes, bool]:
    """What the client sees: the report, what was said, and whether a flush ended it."""
    packets, rest = pktline.split(sent)
    assert rest == b""
    contents = [one for one in packets if one is not None]
    assert all(one[:1] in (b"\1", b"\2") for one in contents)
    report = b"".join(one[1:] for one in contents if one[:1] == b"\1")
    said = b"".join(one[1:] for one in contents if one[:1] == b"\2")
    return report, said, packets[-1] is None and packets.count(None) == 1


def relayed(pieces: list[bytes], failure: str | None = None) -> bytes:
    """What the client gets of a stream that comes in these pieces."""
    holder = ReportHolder()
    live = b"".join(holder.feed(piece) for piece in pieces)
    return live + holder.finish(failure)


def test_what_the_hooks_say_passes_at_once() -> None:
    """And the report only when the deploy has ended."""
    holder = ReportHolder()
    assert holder.feed(band(2, SAID[0])) == band(2, SAID[0])
    assert holder.feed(band(1, OK)) == b""
    assert holder.feed(band(2, SAID[1])) == band(2, SAID[1])
    assert holder.feed(FLUSH) == b""
    assert holder.finish() == band(1, OK) + FLUSH


def test_a_good_push_is_reported_as_git_did() -> None:
    """Not a byte of it changes."""
    assert bands(relayed([stream()])) == (OK, b"".join(SAID), True)


def test_a_failed_deploy_is_a_rejected_push() -> None:
    """`ok` becomes `ng`, with the reason that the client prints."""
    report, said, ended = bands(relayed([stream()], "deploy failed: no answer"))
    lines, _ = pktline.split(report)
    assert lines == [b"unpack ok\n", b"ng refs/heads/main deploy failed: no answer\n", None]
    assert said == b"".join(SAID)
    assert ended


@pytest.mark.parametrize("failure", [None, "deploy failed: no answer"])
@pytest.mark.parametrize("piece", [65515, 7, 1])
def test_it_does_not_matter_where_the_stream_is_cut(failure: str | None, piece: int) -> None:
    """At every byte, in two pieces; and byte for byte; with the report itself in pieces too."""
    whole = stream(piece=piece)
    wanted = bands(relayed([stream()], failure))
    for at in range(len(whole) + 1):
        assert bands(relayed([whole[:at], whole[at:]], failure)) == wanted
    assert bands(relayed([whole[at : at + 1] for at in range(len(whole))], failure)) == wanted


@given(st.lists(st.integers(0, 200)), st.integers(1, 50))
def test_nor_how_often(cuts: list[int], piece: int) -> None:
    """Any pieces, empty ones too."""
    whole = stream(piece=piece)
    at = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[a:b] for a, b in itertools.pairwise(at)]
    assert bands(relayed(pieces, "no")) == bands(relayed([stream()], "no"))


def test_every_reference_that_was_taken_is_rejected() -> None:
    """What git itself refused stays refused, for its own reason."""
    report = (
        packet(b"unpack ok\n")
        + packet(b"ok refs/heads/main\n")
        + packet(b"ng refs/heads/x pre-receive hook declined\n")
        + packet(b"ok refs/heads/master\n")
        + FLUSH
    )
    turned, _, _ = bands(relayed([stream(report)], "failed"))
    assert pktline.split(turned)[0] == [
        b"unpack ok\n",
        b"ng refs/heads/main failed\n",
        b"ng refs/heads/x pre-receive hook declined\n",
        b"ng refs/heads/master failed\n",
        None,
    ]


def test_what_an_update_was_goes_when_there_was_none() -> None:
    """report-status-v2's option lines belong to an `ok`."""
    option = packet(b"option old-oid " + b"0" * 40 + b"\n")
    report = packet(b"unpack ok\n") + packet(b"ok refs/heads/main\n") + option + FLUSH
    assert bands(relayed([stream(report)]))[0] == report
    turned, _, _ = bands(relayed([stream(report)], "failed"))
    assert b"option" not in turned


def test_a_long_report_travels_in_packets_that_git_takes() -> None:
    """Thousands of references, none over the largest packet."""
    lines = [packet(b"ok refs/heads/%d\n" % n) for n in range(9000)]
    report = packet(b"unpack ok\n") + b"".join(lines) + FLUSH
    assert len(report) > 3 * pktline.MAX_CONTENT
    sent = relayed([stream(report)], "failed")
    contents = [one for one in pktline.split(sent)[0] if one is not None]
    assert max(len(one) for one in contents) <= pktline.MAX_CONTENT
    assert pktline.split(bands(sent)[0])[0].count(b"ng refs/heads/0 failed\n") == 1
    assert bands(sent)[0].count(b"ng ") == 9000


def test_a_push_that_was_killed_ends_where_it_ended() -> None:
    """No flush is made up, and half a packet stays half."""
    cut = stream()[:-9]
    assert relayed([cut]).endswith(cut[-5:])
    assert not relayed([cut]).endswith(FLUSH)


def test_a_stream_without_packets_passes_as_it_is() -> None:
    """Whatever it is, it is not ours to hold; also when its beginning looked like a packet."""
    assert relayed([b"fatal: no", b" such thing"]) == b"fatal: no such thing"
    assert relayed([b"00", b"zz and more", b" of it"]) == b"00zz and more of it"
    begun = band(2, b"hi\n") + b"fatal: "
    assert relayed([begun, b"it broke\n"], "failed").endswith(b"fatal: it broke\n")


def test_the_platforms_own_words_go_to_the_second_band() -> None:
    """Where the client shows them behind `remote: `."""
    assert progress("ü\n") == packet(b"\2" + "ü\n".encode())
