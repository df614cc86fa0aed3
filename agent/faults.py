"""What the agent answers when it could not do what was asked.

A fault travels over the wire as `code`, `message` and `hint`; `server/workers` turns the code into
one of its error classes. Nothing else may decide anything from the words of a message.
"""

from enum import StrEnum


class FaultCode(StrEnum):
    """Each thing that a caller may want to tell apart."""

    PREFLIGHT_FAILED = "preflight_failed"
    BUILD_FAILED = "build_failed"
    NO_SUCH_IMAGE = "no_such_image"
    START_FAILED = "start_failed"
    COMMAND_FAILED = "command_failed"
    WIRE_MISMATCH = "wire_mismatch"
    BAD_REQUEST = "bad_request"
    DISK_FULL = "disk_full"
    INTERNAL = "internal"


class Fault(Exception):
    """A refusal or failure with a text for the person who can do something about it.

    `message` says what was found and where, `hint` what to write or do, each one or more lines.
    """

    def __init__(self, code: FaultCode, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
