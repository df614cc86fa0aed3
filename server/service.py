"""What every service does around its own work: settings, logging, signals, its heartbeat, its end.

It is the service loop's edge: an error that reaches it becomes a block on stderr and an exit code.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from server import settings as configuration
from server.errors import KuramaError, StoreUnavailable, StreamError
from server.settings import Settings

_BEAT_EVERY_S = 1.0
# How long a service that starts waits for the engines.
_ENGINE_PATIENCE_S = 30.0
_RETRY_S = 0.2

T = TypeVar("T")


class Heart:
    """A file that says how a service is, written once a second by the service's own loop.

    A loop that hangs stops writing, which is how others notice.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.json"
        self._counters: dict[str, int] = {}
        self._state = ("", "")
        self._written = 0.0

    def beat(self, state: str = "ok", detail: str = "", **counters: int) -> None:
        """Say that the service is `ok`, or `degraded` with a reason, and what it has counted."""
        now = time.monotonic()
        self._counters |= counters
        if (state, detail) == self._state and now - self._written < _BEAT_EVERY_S:
            return
        self._state, self._written = (state, detail), now
        beat = {"state": state, "detail": detail, "pid": os.getpid(), "at": time.time()}
        fresh = self._path.with_suffix(".tmp")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(json.dumps({**beat, "counters": self._counters}))
            fresh.replace(self._path)
        except OSError as error:
            # A full disk must not end the service that is to survive it.
            logging.getLogger(__name__).warning("heartbeat: %s", error)


@dataclass(frozen=True, slots=True)
class Service:
    """What a service's main function gets. `stopping` is set by SIGTERM and SIGINT."""

    name: str
    settings: Settings
    heart: Heart
    stopping: threading.Event = field(default_factory=threading.Event)


def run(name: str, main: Callable[[Service], None], *, own_signals: bool = False) -> None:
    """Run `main` as the service `name`, to its end; with `own_signals` it handles them itself."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    # Each of its messages would be one more line for each of ours.
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    try:
        settings = configuration.load()
        settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        service = Service(name, settings, Heart(settings.run_dir / "health", name))
        if not own_signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: service.stopping.set())
        main(service)
    except KuramaError as error:
        print(f"{name}: {error.message}", file=sys.stderr)
        if error.hint:
            print(error.hint, file=sys.stderr)
        raise SystemExit(error.exit_code) from error


def until_up(attempt: Callable[[], T], stopping: threading.Event) -> T:
    """Return what `attempt` returns once the engines are up; raise its error if they stay away."""
    deadline = time.monotonic() + _ENGINE_PATIENCE_S
    while True:
        try:
            return attempt()
        except (StoreUnavailable, StreamError):
            if stopping.wait(_RETRY_S) or time.monotonic() > deadline:
                raise
