"""Pushes under way: what the hooks of one `git receive-pack` may ask, and how it ended."""

import hmac
import secrets
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

from server.errors import Forbidden
from server.models import Account, App


@dataclass(slots=True)
class Push:
    """One run of receive-pack. `failure` is set, in one line, where its deploy failed."""

    id: str
    secret: str = field(repr=False)
    app: App
    account: Account
    contexts: dict[str, Path] = field(default_factory=dict)
    failure: str | None = None


class Pushes:
    """The open pushes, by id; a hook must show the push's secret."""

    def __init__(self) -> None:
        self._open: dict[str, Push] = {}
        self._lock = threading.Lock()

    def open(self, app: App, account: Account) -> Push:
        """Begin one."""
        push = Push(secrets.token_hex(8), secrets.token_urlsafe(32), app, account)
        with self._lock:
            self._open[push.id] = push
        return push

    def find(self, number: str, secret: str) -> Push:
        """The open push with this id; Forbidden for another secret, or when it has ended."""
        with self._lock:
            push = self._open.get(number)
        if push is None or not hmac.compare_digest(push.secret.encode(), secret.encode()):
            raise Forbidden("This push is not under way")
        return push

    def close(self, push: Push) -> None:
        """End one, and delete the trees that no deploy took over."""
        with self._lock:
            self._open.pop(push.id, None)
        for context in push.contexts.values():
            shutil.rmtree(context, ignore_errors=True)
