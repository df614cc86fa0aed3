"""What an application logs to its console becomes records.

The one place is `logging.StreamHandler.emit`: a handler whose stream is the process's stdout or
stderr emits a record in place of its text, whoever made the handler and whenever. Levels, filters
and handlers that write elsewhere are as they were.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, NamedTuple
from weakref import WeakSet

from flask_kurama.emitter import Emitter
from flask_kurama.faults import is_told, tell, trace
from flask_kurama.inbound import NULL, Inbound

_CONSOLE = (1, 2)
_FAILED = "500"
_LEVELS = (
    (logging.CRITICAL, "CRITICAL"),
    (logging.ERROR, "ERROR"),
    (logging.WARNING, "WARNING"),
    (logging.INFO, "INFO"),
)


class Surroundings(NamedTuple):
    """The request within which something is logged; `route` is a JSON text."""

    inbound: Inbound | None
    route: str


NOWHERE = Surroundings(None, NULL)


class Console:
    """Turns log records into ours.

    `surroundings` tells the current request; `streams` are objects that stand for the console
    without being a file of it, as Flask's own does.
    """

    def __init__(
        self,
        emitter: Emitter,
        surroundings: Callable[[], Surroundings],
        streams: tuple[object, ...] = (),
    ) -> None:
        self._emitter = emitter
        self._surroundings = surroundings
        self._streams = streams
        # Several handlers may bring the same one. Not a mark on the log record itself: handlers
        # that write all of its attributes would write the mark.
        self._seen: WeakSet[logging.LogRecord] = WeakSet()

    def install(self) -> None:
        """Take the place of every console handler's text."""
        write_text = logging.StreamHandler.emit

        def emit(handler: logging.StreamHandler[Any], record: logging.LogRecord) -> None:
            if not self.is_console(handler.stream):
                write_text(handler, record)
                return
            try:
                self.take(record)
            except RecursionError:
                raise
            except Exception:  # noqa: BLE001  logging's own rule: a handler's fault is its own
                handler.handleError(record)

        logging.StreamHandler.emit = emit  # type: ignore[method-assign, assignment]

    def is_console(self, stream: object) -> bool:
        """Whether what is written to `stream` comes out of the process's stdout or stderr."""
        return any(stream is known for known in self._streams) or _is_console(stream)

    def take(self, record: logging.LogRecord) -> None:
        """Write the record of a log record, unless it has been written."""
        if record in self._seen:
            return
        self._seen.add(record)
        inbound, route = self._surroundings()
        status, message = NULL, message_of(record)
        fault = record.exc_info[1] if record.exc_info else None
        if inbound is not None and fault is not None and fault is inbound.fault:
            tell(fault)
            status = _FAILED
        at_ns = int(record.created * 1e9)
        self._emitter.emit(level_of(record.levelno), message, inbound, status, route, at_ns=at_ns)


def _is_console(stream: Any) -> bool:
    try:
        return stream.fileno() in _CONSOLE
    except (AttributeError, OSError, ValueError):
        return False


def level_of(number: int) -> str:
    """The name of the standard level that a level's number reaches."""
    return next((name for least, name in _LEVELS if number >= least), "DEBUG")


def message_of(record: logging.LogRecord) -> str:
    """The message with its traceback and stack, as logging's own Formatter puts them together."""
    return "\n".join(filter(None, (_said(record), _trace(record), record.stack_info)))


def _trace(record: logging.LogRecord) -> str | None:
    """The traceback, unless a record of ours has it: servers log again what a request let out."""
    if not record.exc_info:
        # A queue's handler leaves the text only.
        return record.exc_text
    fault = record.exc_info[1]
    if fault is None or is_told(fault):
        return None
    return record.exc_text or trace(fault, fault.__traceback__)


def _said(record: logging.LogRecord) -> str:
    """The message; where its arguments do not fit it, what was to be said and why it can't be."""
    try:
        return str(record.getMessage())
    except Exception as fault:  # noqa: BLE001  arguments are the application's, and may do anything
        return f"{_shown(record.msg)} (arguments {_shown(record.args)} do not fit: {fault!r})"


def _shown(value: object) -> str:
    try:
        return value if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001  the same
        return f"<{type(value).__name__} without a repr>"


def wanted_level(app_name: str) -> None:
    """Let INFO be seen where the application has configured nothing, or KURAMA_LOG_LEVEL.

    Below INFO only the application's own logger is opened: at DEBUG every library has its say.
    """
    level = logging.getLevelName(os.environ.get("KURAMA_LOG_LEVEL", "").strip().upper() or "INFO")
    if not isinstance(level, int):
        level = logging.INFO
    root, own = logging.getLogger(), logging.getLogger(app_name)
    if root.level == logging.WARNING and not root.handlers:
        root.setLevel(max(level, logging.INFO))
    if level < logging.INFO and own.level == logging.NOTSET:
        own.setLevel(level)
    if logging.lastResort is not None and logging.lastResort.level == logging.WARNING:
        logging.lastResort.setLevel(level)


def lines_at_once() -> None:
    """Let `print` write a line when it is complete, in one write.

    In a pipe Python would keep 8 KB back, and records would overtake them; unbuffered (python -u)
    it writes the line and its newline apart, and a record of another process comes between.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and _is_console(stream):
            stream.reconfigure(line_buffering=True, write_through=False)
