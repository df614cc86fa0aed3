"""How a deploy speaks: the arrows, the indents and the error block of a push's output."""

import re
from collections.abc import Callable

from server.errors import KuramaError

# Terminal control sequences of tools; a push's output is shown in somebody's terminal.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Narrator:
    """Writes lines to `say`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def step(self, text: str) -> None:
        """Something begins, or has been done."""
        self._say(f"-----> {text}")

    def done(self, text: str) -> None:
        """The whole has been done."""
        self._say(f"=====> {text}")

    def output(self, line: str) -> None:
        """A tool's own output."""
        self._say(f"       {clean(line)}".rstrip())

    def failure(self, error: KuramaError) -> None:
        """Why it ended, and what to do."""
        self._say("")
        for line in clean(error.message).splitlines():
            self._say(f" !     {line}".rstrip())
        if error.hint:
            self._say(" !")
            for line in clean(error.hint).splitlines():
                self._say(f" !     {line}".rstrip())
        self._say("")


def clean(text: str) -> str:
    """`text` without what would move a terminal's cursor or change its colours."""
    return _CONTROL.sub("", text)
