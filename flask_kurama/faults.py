"""Exceptions as text, and which of them a record has told already.

A request's unhandled exception is seen several times on its way out: by Flask, by the exchange, by
the server. One record has its traceback.
"""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress
from types import TracebackType

# On the exception itself, so that it goes with it: exceptions take no weak references.
_TOLD = "_kurama_told"


def tell(fault: BaseException) -> None:
    """Note that a record with the traceback has been written."""
    vars(fault)[_TOLD] = True


def begin(fault: BaseException) -> None:
    """Forget that it was told: an exception may be made once and raised again and again."""
    vars(fault).pop(_TOLD, None)


def is_told(fault: BaseException) -> bool:
    """Whether a record with the traceback has been written."""
    return _TOLD in vars(fault)


def admit(fault: Exception) -> None:
    """Say on stderr, in one line, what went wrong in this library and not in the application."""
    with suppress(OSError, ValueError, AttributeError):
        print(f"flask_kurama: {fault!r}, so nothing is recorded here", file=sys.stderr)


def trace(fault: BaseException, start: TracebackType | None) -> str:
    """The traceback's text from the frame `start` on, with the exceptions before it."""
    return "".join(traceback.format_exception(type(fault), fault, start)).rstrip("\n")
