"""Makes a failed deploy a failed push: holds git's report back until the deploy has ended.

`git receive-pack` reports `ok refs/heads/main` before the post-receive hook runs, and ignores the
hook's exit status. In the stream to the client the report travels in sideband 1 and what the hook
prints in sideband 2. So sideband 2 passes live, sideband 1 waits, and in it `ok` becomes `ng` when
the deploy failed. Source: git's gitprotocol-pack documentation, report-status and side-band-64k.
"""

from server.repos import pktline

_REPORT = 1
_PROGRESS = 2
# The report of one push is a few lines; more than this is not a report.
_MOST_HELD = 1024 * 1024


class ReportHolder:
    """Stands between receive-pack's output and the client."""

    def __init__(self) -> None:
        self._rest = b""
        self._held = b""
        self._flushed = False
        self._transparent = False

    def feed(self, data: bytes) -> bytes:
        """Take output of receive-pack; return what the client may have now."""
        if self._transparent:
            return data
        try:
            packets, self._rest = pktline.split(self._rest + data)
        except pktline.Unframed:
            # A client without sidebands: the report can't be told apart from the rest.
            self._transparent = True
            passed, self._rest = self._rest + data, b""
            return passed
        return b"".join(self._pass(content) for content in packets)

    def finish(self, failure: str | None = None) -> bytes:
        """The held report, with `failure` (one line) as the reason where the deploy failed."""
        report = _failed(self._held, failure) if failure else self._held
        packets = [
            pktline.packet(bytes([_REPORT]) + report[at : at + pktline.MAX_CONTENT - 1])
            for at in range(0, len(report), pktline.MAX_CONTENT - 1)
        ]
        return b"".join(packets) + (pktline.FLUSH if self._flushed else b"") + self._rest

    def _pass(self, content: bytes | None) -> bytes:
        if content is None:
            self._flushed = True
            return b""
        if content[:1] == bytes([_REPORT]) and len(self._held) < _MOST_HELD:
            self._held += content[1:]
            return b""
        return pktline.packet(content)


def progress(text: str) -> bytes:
    """`text`, one or more lines, as the client shows it after `remote: `."""
    return pktline.packet(bytes([_PROGRESS]) + text.encode())


def _failed(report: bytes, reason: str) -> bytes:
    """The report with every `ok REF` turned into `ng REF REASON`."""
    packets, rest = pktline.split(report)
    lines: list[bytes] = []
    for content in packets:
        if content is None:
            lines.append(pktline.FLUSH)
        elif content.startswith(b"ok "):
            reference = content.split()[1]
            lines.append(pktline.packet(b"ng " + reference + b" " + reason.encode() + b"\n"))
        elif not content.startswith(b"option "):
            # The options of an `ok` line say how the reference was updated: now it wasn't.
            lines.append(pktline.packet(content))
    return b"".join(lines) + rest
