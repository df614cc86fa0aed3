"""The files that say which replicas answer for an app, and which page stands in for them.

    home/router/APP/upstream/0 … 59    "127.0.0.1:20001", read by Caddy for the slot it picked
    home/router/APP/serving            "yes", or "no" when a request need not even be tried
    home/router/APP/status, page       what a visitor gets when no upstream answered

Each file is replaced by a rename, so a reader sees the old content or the new, never a half.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from server.errors import RouterError

# Divisible by 1 to 6, 10, 12, 15, 20 and 30: that many replicas get exactly even shares of the
# round-robin; others differ by at most one slot.
SLOTS = 60
# Nothing listens there: a connection is refused at once.
NOWHERE = "127.0.0.1:1"


class Slots:
    """The files of one app."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._upstream = folder / "upstream"

    def point_at(self, addresses: Sequence[str]) -> None:
        """Spread `addresses` ("host:port", at most SLOTS) over the slots; none means nowhere."""
        self._upstream.mkdir(mode=0o700, parents=True, exist_ok=True)
        spread = list(addresses) or [NOWHERE]
        for slot in range(SLOTS):
            _replace(self._upstream / str(slot), spread[slot % len(spread)])

    def show(self, status: int, page: str, *, serving: bool) -> None:
        """What a visitor gets when no replica answers, or at once when the app isn't serving."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(self._folder / "page", page)
        _replace(self._folder / "status", str(status))
        _replace(self._folder / "serving", "yes" if serving else "no")

    @property
    def serving(self) -> bool:
        """Whether requests are tried at all."""
        return _read(self._folder / "serving") == "yes"

    def shows(self, status: int, page: str) -> bool:
        """Whether every request is answered with exactly this."""
        shown = (_read(self._folder / "status"), _read(self._folder / "page"))
        return not self.serving and shown == (str(status), page)

    def addresses(self) -> set[str]:
        """The addresses that the slots name now."""
        found = {path.read_text() for path in self._upstream.glob("[0-9]*")}
        return found - {NOWHERE}

    def remove(self) -> None:
        """Delete the files; Caddy must not name them any more."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def upstream_placeholders(folder: Path) -> list[str]:
        """What Caddy replaces, per request, with the content of the slot it picked."""
        return [f"{{file.{folder}/upstream/{slot}}}" for slot in range(SLOTS)]


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _replace(path: Path, text: str) -> None:
    if _read(path) == text:
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text)
        fresh.replace(path)
    except OSError as error:
        raise RouterError(
            f"{path} can't be written: {error.strerror}", "See `kurama doctor` for the disk."
        ) from error
