"""What a replica said last, as its developer needs to see it: without records, without libraries.

A failed start is told in somebody's terminal, mostly by the traceback of an import through gunicorn
and importlib. Of its frames only the app's own are of use.
"""

import re
from collections.abc import Iterable, Iterator

from flask_kurama.parts import Joiner
from flask_kurama.record import decode

_FRAME = re.compile(r'\s*File "(?P<file>.+)", line \d+')
_LIBRARY = re.compile(r"/site-packages/|/lib/python3[.\d]*/|^<frozen ")
_TRACEBACK = "Traceback (most recent call last):"
# "KeyError: 'SECRET_KEY'", "flask.cli.NoAppException"
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?::.*)?")
_LONGEST_CAUSE = 160


def readable(lines: Iterable[str]) -> Iterator[str]:
    """What was printed, with each record as its message alone."""
    joiner = Joiner(clock=lambda: 0.0)
    for line in lines:
        whole = joiner.join(line.encode("utf-8", "replace"))
        record = None if whole is None else decode(whole)
        if record is not None:
            yield from record.message.splitlines()
        elif whole is not None:
            yield line


def without_libraries(lines: Iterable[str]) -> Iterator[str]:
    """Lines without those frames of tracebacks that aren't in the app's own files."""
    skipping = False
    for line in lines:
        frame = _FRAME.match(line)
        if frame:
            skipping = bool(_LIBRARY.search(frame["file"]))
        elif skipping and not line.startswith("    "):
            # Behind a frame stand its source and marks, deeper than the frame itself.
            skipping = False
        if not skipping:
            yield line


def cause(lines: Iterable[str]) -> str:
    """The exception of the first traceback in `lines`, or ""; what follows came of it."""
    inside = False
    for line in lines:
        if line.strip() == _TRACEBACK:
            inside = True
        elif inside and line.strip() and not line.startswith(" "):
            found = line.strip()
            return found[:_LONGEST_CAUSE] if _EXCEPTION.fullmatch(found) else ""
    return ""
