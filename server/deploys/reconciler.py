"""Keeps what runs equal to what should run: after a restart, after a crash, all the time.

It starts what is missing, ends what no release wants, and points the router at what is up. An app
whose deploy is under way is left to that deploy.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence

from server.deploys.narrator import Narrator
from server.deploys.parts import Parts
from server.deploys.rollout import Rollout, Target, addresses, current, formation
from server.deploys.stopwatch import Stopwatch
from server.deploys.usage import Usage
from server.errors import Conflict, KuramaError, NotFound
from server.models import App, Release, Replica, ReplicaState
from server.router.pages import Problem

log = logging.getLogger(__name__)
_EVERY_S = 2.0
_REVIVE_EVERY_S = 60.0


class Reconciler:
    """Compares and mends, app by app."""

    def __init__(self, parts: Parts, usage: Usage) -> None:
        self._parts = parts
        self._usage = usage
        # Since when each replica has been seen to be stopping, in monotonic seconds.
        self._stopping: dict[str, float] = {}
        # Since when each replica has been crashed, or was last tried again.
        self._crashed: dict[str, float] = {}
        self._rollout = Rollout(parts, Narrator(lambda line: log.info("%s", line)), Stopwatch())

    def run(self, stopping: threading.Event) -> None:
        """Mend every two seconds until `stopping` is set; what fails is tried again."""
        while not stopping.is_set():
            try:
                self.once()
                self._usage.observe(self._parts.worker.stats())
            except KuramaError as error:
                log.warning("%s", error.message)
            stopping.wait(_EVERY_S)

    def once(self) -> None:
        """One look at every app."""
        apps = list(self._parts.apps.all())
        self._parts.router.sync(app.name for app in apps)
        by_app: dict[str, list[Replica]] = {app.name: [] for app in apps}
        for replica in self._parts.worker.replicas():
            by_app.setdefault(replica.app, []).append(replica)
        self._revive([replica for found in by_app.values() for replica in found])
        there = {replica.instance for found in by_app.values() for replica in found}
        self._stopping = {name: at for name, at in self._stopping.items() if name in there}
        for app in apps:
            if not self._is_right(app, by_app.pop(app.name)):
                self._mend(app)
        for name in by_app:
            log.warning("removing %s, which no longer exists", name)
            self._parts.worker.remove(name)

    def _is_right(self, app: App, found: Sequence[Replica]) -> bool:
        """Whether what was found is what should be, and the router knows it."""
        self._hurry(found)
        staying = [one for one in found if one.state is not ReplicaState.STOPPING]
        release = self._parts.releases.live(app)
        if release is None:
            return not staying
        serving = current(staying, release)
        counts = Counter(replica.process for replica in serving)
        wanted = {process: n for process, n in self._wanted(app, release).items() if n}
        return counts == wanted and len(serving) == len(staying) and self._is_routed(app, serving)

    def _wanted(self, app: App, release: Release) -> dict[str, int]:
        image = self._parts.releases.image(release)
        return formation(image, self._parts.apps.formation(app))

    def _mend(self, app: App) -> None:
        """Under the app's lock, with what is true then, make it right; not while a deploy runs."""
        try:
            with self._parts.deploys.lock(app.id, wait=0):
                app = self._parts.apps.get(app.id)
                found = self._parts.worker.replicas(app.name)
                if not self._is_right(app, found):
                    self._make_right(app, found)
        except (Conflict, NotFound):
            return

    def _make_right(self, app: App, found: Sequence[Replica]) -> None:
        release = self._parts.releases.live(app)
        if release is None:
            self._rollout.stop(found)
            return
        wanted = self._wanted(app, release)
        serving = [r for r in current(found, release) if r.number <= wanted.get(r.process, 0)]
        kept = {replica.instance for replica in serving}
        started = [
            replica
            for process, count in wanted.items()
            for number in self._missing(serving, process, count)
            for replica in self._start(app, release, process, number)
        ]
        self._route(app, [*serving, *started])
        self._rollout.stop([replica for replica in found if replica.instance not in kept])

    def _missing(self, serving: Sequence[Replica], process: str, count: int) -> list[int]:
        there = {replica.number for replica in serving if replica.process == process}
        return sorted(set(range(1, count + 1)) - there)

    def _start(self, app: App, release: Release, process: str, number: int) -> list[Replica]:
        """Start one without waiting for it: a broken app must not hold the lock for long."""
        log.info("starting %s of %s %s", f"{process}.{number}", app.name, release.label)
        image = self._parts.releases.image(release)
        return self._rollout.start(Target(app, release, image, {process: 1}), process, 1, number)

    def _is_routed(self, app: App, serving: Sequence[Replica]) -> bool:
        web = [replica for replica in serving if replica.process == "web"]
        if _all_crashed(web):
            return self._parts.router.stands_in(app.name, Problem.CRASHED)
        return self._parts.router.is_pointed_at(app.name, addresses(_up(web)))

    def _route(self, app: App, serving: Sequence[Replica]) -> None:
        """Point the router at what serves, or at a page where all of it has crashed."""
        web = [replica for replica in serving if replica.process == "web"]
        if _all_crashed(web):
            self._parts.router.stand_in(app.name, Problem.CRASHED)
        else:
            self._parts.router.point_at(app.name, addresses(_up(web)))

    def _revive(self, found: Sequence[Replica]) -> None:
        """Try crashed replicas again now and then: what they lacked may be there again."""
        now = time.monotonic()
        crashed = {one.instance for one in found if one.state is ReplicaState.CRASHED}
        self._crashed = {name: self._crashed.get(name, now) for name in crashed}
        due = [name for name, since in self._crashed.items() if now - since > _REVIVE_EVERY_S]
        if due:
            self._parts.worker.revive(due)
            self._crashed |= dict.fromkeys(due, now)

    def _hurry(self, found: Sequence[Replica]) -> None:
        """Take up a stop whose agent ended before it was done."""
        patience = 3 * self._parts.settings.deploy.drain.total_seconds()
        now = time.monotonic()
        stopping = [one.instance for one in found if one.state is ReplicaState.STOPPING]
        self._stopping |= {name: now for name in stopping if name not in self._stopping}
        late = [name for name in stopping if now - self._stopping[name] > patience]
        if late:
            self._parts.worker.stop(late)
            self._stopping |= dict.fromkeys(late, now)


def _all_crashed(web: Sequence[Replica]) -> bool:
    return bool(web) and all(one.state is ReplicaState.CRASHED for one in web)


def _up(web: Sequence[Replica]) -> list[Replica]:
    return [one for one in web if one.state is not ReplicaState.CRASHED]
