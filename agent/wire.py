"""The protocol between the control plane and an agent, used by both ends.

A message is one JSON object on one line, over a pipe or an SSH channel:

    {"id": 7, "method": "build", "params": {…}}            a request, from the control plane
    {"id": 7, "event": "output", "data": …}                any number of these, from the agent
    {"id": 7, "result": {…}}                               and one end: a result,
    {"id": 7, "error": {"code", "message", "hint"}}        or a fault

Requests run side by side; `{"id": 7, "method": "cancel"}` asks request 7 to end early, which ends
it with a result or a fault of its own. The first request is `hello`, which settles the version.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

# Raised when either end would misunderstand the other.
VERSION = 1
# No message is longer: what is larger goes beside the wire, as files.
MAX_LINE = 16 * 1024 * 1024


class WireError(Exception):
    """What came is not of this protocol."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the control plane asks for. `id` is the caller's own, unique while it runs."""

    id: int
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened while a request runs."""

    id: int
    event: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a request that did what was asked."""

    id: int
    result: Any = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The end of a request that did not; `error` has code, message and hint."""

    id: int
    error: Mapping[str, str]


Message = Request | Event | Result | Failure


def encode(message: Message) -> bytes:
    """The line that carries `message`; WireError when it is over MAX_LINE."""
    fields = {name: getattr(message, name) for name in message.__dataclass_fields__}
    # ASCII only: a lone surrogate, which UTF-8 has no bytes for, travels as its escape.
    line = json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > MAX_LINE:
        raise WireError(f"A message of {len(line)} bytes is over the wire's {MAX_LINE}")
    return line


def decode(line: bytes) -> Message:
    """The message that `line` carries; WireError when it carries none."""
    try:
        fields = json.loads(line)
        kind = next(kind for key, kind in _KINDS.items() if key in fields)
        message = kind(**fields)
    except (ValueError, TypeError, StopIteration):
        raise WireError(f"This is no message of the wire: {line[:200]!r}") from None
    if not isinstance(message.id, int):
        raise WireError(f"A message's id must be a number: {line[:200]!r}")
    return message


_KINDS: Mapping[str, type[Request] | type[Event] | type[Result] | type[Failure]] = {
    "method": Request,
    "event": Event,
    "result": Result,
    "error": Failure,
}


def read(stream: BinaryIO) -> Message | None:
    """The next message of `stream`, or None at its end; WireError for anything else."""
    line = stream.readline(MAX_LINE + 1)
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise WireError("The wire was cut in the middle of a message")
    return decode(line)
