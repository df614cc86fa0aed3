"""The router as the rest of the platform sees it: apps come and go, and point at replicas."""

import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from server.router.admin import Admin
from server.router.configuration import admin_socket, configuration
from server.router.pages import Pages, Problem
from server.router.slots import SLOTS, Slots
from server.settings import Settings

MOST_WEB_REPLICAS = SLOTS


class Router:
    """Routes for all apps of this platform, in one Caddy. Methods may raise RouterError."""

    def __init__(self, settings: Settings, admin: Admin | None = None) -> None:
        self._settings = settings
        self._folder = settings.home / "router"
        self._admin = admin or Admin(admin_socket(settings))
        self._pages = Pages()
        self._apps: set[str] = set()
        self._gone: set[str] = set()
        self._lock = threading.Lock()

    def sync(self, apps: Iterable[str]) -> None:
        """Route exactly `apps`; one that has no files yet shows that it has no code."""
        with self._lock:
            self._apps = set(apps)
            for app in self._apps:
                if not (self._files(app) / "serving").exists():
                    self._blank(app)
            self._load()

    def add(self, app: str) -> None:
        """Route one more app, which has no code yet."""
        with self._lock:
            self._blank(app)
            self._apps.add(app)
            self._load()

    def remove(self, app: str) -> None:
        """Stop routing an app: from now on there is none of that name.

        Caddy goes on for a moment with what it had, so the files say it too, until the next load.
        """
        with self._lock:
            self._show(app, Problem.NO_SUCH_APP, serving=False)
            self._apps.discard(app)
            self._load()
            self._gone.add(app)

    def reload(self) -> None:
        """Tell Caddy again what it should run; costs nothing when it runs it already."""
        with self._lock:
            self._load()

    def point_at(self, app: str, addresses: Sequence[str]) -> None:
        """Send the app's requests to `addresses` from now on; none of them: it is not running."""
        slots = Slots(self._files(app))
        slots.point_at(addresses)
        if addresses:
            self._show(app, Problem.NO_ANSWER, serving=True)
        else:
            self._show(app, Problem.NO_WEB_REPLICAS, serving=False)

    def addresses(self, app: str) -> set[str]:
        """Which addresses ("host:port") the app's requests go to."""
        return Slots(self._files(app)).addresses()

    def is_pointed_at(self, app: str, addresses: Sequence[str]) -> bool:
        """Whether `point_at` with these would change anything."""
        slots = Slots(self._files(app))
        return slots.addresses() == set(addresses) and slots.serving == bool(addresses)

    def stands_in(self, app: str, problem: Problem) -> bool:
        """Whether `stand_in` with this would change anything."""
        page = self._pages.html(problem, app)
        return Slots(self._files(app)).shows(problem.value.status, page)

    def stand_in(self, app: str, problem: Problem) -> None:
        """Answer the app's requests with a page: nothing of it is running."""
        self._show(app, problem, serving=False)

    def errors(self, app: str) -> int:
        """How many requests for the app the router had to answer with an error, since it started.

        Source: Caddy's counter of requests that ended in a handler's error.
        """
        host = re.escape(f'host="{app}.{self._settings.router.domain}"')
        line = rf"^caddy_http_request_errors_total\{{[^}}]*{host}[^}}]*\}} (\S+)$"
        found = re.findall(line, self._admin.metrics(), re.MULTILINE)
        return round(sum(float(value) for value in found))

    def _blank(self, app: str) -> None:
        Slots(self._files(app)).point_at([])
        self._show(app, Problem.NO_CODE, serving=False)

    def _show(self, app: str, problem: Problem, *, serving: bool) -> None:
        page = self._pages.html(problem, app)
        Slots(self._files(app)).show(problem.value.status, page, serving=serving)

    def _files(self, app: str) -> Path:
        return self._folder / app

    def _load(self) -> None:
        for app in self._gone - self._apps:
            Slots(self._files(app)).remove()
        self._gone.clear()
        names = sorted(self._apps)
        self._admin.load(configuration(self._settings, self._folder, names, self._pages))
