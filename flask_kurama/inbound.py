"""What a request says of itself: its URL, its id, how long it has been queued.

Read from the WSGI environment once, at the request's start, as the JSON texts that records carry.
Nothing of Flask is known here.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from flask_kurama.record import METHOD_CHARS, REQUEST_ID_CHARS, URL_CHARS, text
from flask_kurama.redaction import redact
from flask_kurama.uuid7 import short_id

# Where a request's Inbound is kept in its WSGI environment.
KEY = "kurama.request"
NULL = "null"

_DAY_MS = 24 * 60 * 60 * 1000.0
_SKEW_MS = 1000.0
# X-Request-Start comes in seconds (nginx), milliseconds (Heroku), microseconds (New Relic) or
# nanoseconds. These bounds tell them apart from 1973 until 5138.
_UNITS = ((1e17, 1e-6), (1e14, 1e-3), (1e11, 1.0), (1e8, 1e3))
_HEADER_CHARS = 32
_ID_HEADER = "HTTP_X_REQUEST_ID"
_METHODS = {verb: text(verb) for verb in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")}


class Inbound:
    """One request: JSON texts, but for `path` and `verb`, which are plain.

    `route` becomes known when the request has been dispatched; `fault` is the exception that
    nothing has handled.
    """

    # Of the environment itself nothing is kept: it holds this, and a circle would wait for the
    # garbage collector.
    __slots__ = ("fault", "method", "path", "queue_ms", "request_id", "route", "url", "verb")

    def __init__(self, environ: dict[str, Any]) -> None:
        get = environ.get
        target = get("RAW_URI") or get("REQUEST_URI") or _target(environ)
        if len(target) > URL_CHARS:
            target = target[:URL_CHARS]
        self.path, url = target, _absolute(environ, target)
        if "?" in target:
            self.path, url = target.partition("?")[0], redact(url)
        self.url = text(url)
        self.verb: str = environ["REQUEST_METHOD"][:METHOD_CHARS]
        self.method = _METHODS.get(self.verb) or text(self.verb)
        start = get("HTTP_X_REQUEST_START")
        self.queue_ms = NULL if start is None else _queue_text(start)
        around: Inbound | None = get(KEY)
        # An application that passes its request on passes its id on.
        self.request_id: str = around.request_id if around else _id_text(get(_ID_HEADER))
        self.route = NULL
        self.fault: BaseException | None = None


def queue_ms(header: str, now_ms: float) -> float | None:
    """Milliseconds between the time in an X-Request-Start header and `now_ms`.

    None when the header holds no time, or one more than a day old or more than a second ahead:
    within a second it is the clocks' difference, and the queue 0.
    """
    try:
        start = float(header[:_HEADER_CHARS].strip().removeprefix("t="))
    except ValueError:
        return None
    scale = next((scale for least, scale in _UNITS if start >= least), None)
    if scale is None:
        return None
    waited = now_ms - start * scale
    return max(0.0, waited) if -_SKEW_MS <= waited <= _DAY_MS else None


def _queue_text(header: str) -> str:
    waited = queue_ms(header, time.time_ns() / 1e6)
    return NULL if waited is None else f"{waited:.3f}"


def _target(environ: dict[str, Any]) -> str:
    """Path and query, put together anew where the server does not tell what the client wrote."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    target = quote(path.encode("latin-1", "replace")) or "/"
    query = environ.get("QUERY_STRING")
    return f"{target}?{query}" if query else target


def _absolute(environ: dict[str, Any], target: str) -> str:
    """The full URL. A proxy's client may have written one in the request line."""
    if target[0] != "/" and "://" in target:
        return target
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return f"{environ['wsgi.url_scheme']}://{host}{target}"


def _id_text(given: str | None) -> str:
    """The printable ASCII of an X-Request-Id header, else an id of our own."""
    if given:
        plain = "".join(char for char in given[:REQUEST_ID_CHARS] if " " <= char <= "~")
        if plain:
            return text(plain)
    return f'"{short_id()}"'
