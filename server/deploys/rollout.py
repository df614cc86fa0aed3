"""Replicas in, replicas out: the part of a deploy that touches what visitors see."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server import duration
from server.deploys.narrator import Narrator
from server.deploys.parts import Parts
from server.deploys.prober import Prober
from server.deploys.stopwatch import Stopwatch
from server.errors import KuramaError
from server.models import App, Image, Release, Replica, ReplicaState
from server.workers.pool import limits

# After the switch: long enough for a request that was just being handed to an old replica.
_SETTLE_S = 0.1
_GOING = {ReplicaState.STOPPING, ReplicaState.STOPPED}


@dataclass(frozen=True, slots=True)
class Target:
    """What is to run: a release of an app, and how many replicas of each process."""

    app: App
    release: Release
    image: Image
    formation: Mapping[str, int]


class Rollout:
    """Starts, probes, switches and stops the replicas of one app. The caller holds its lock."""

    def __init__(self, parts: Parts, narrator: Narrator, stopwatch: Stopwatch) -> None:
        self._parts = parts
        self._stopwatch = stopwatch
        self._narrator = narrator
        deploy = parts.settings.deploy
        self._drain_s = deploy.drain.total_seconds()
        self._prober = Prober(
            parts.worker,
            path=deploy.probe_path,
            timeout_s=deploy.boot_timeout.total_seconds(),
            say=narrator.output,
        )

    def boot(self, target: Target, first: Mapping[str, int] | None = None) -> list[Replica]:
        """Start the target's replicas, numbered from `first`, and wait until they are healthy.

        When one fails, all of them are stopped again and the error goes on.
        """
        started: list[Replica] = []
        try:
            with self._stopwatch.lap("start"):
                for process in _ordered(target.formation):
                    count = target.formation[process]
                    started += self.start(target, process, count, (first or {}).get(process, 1))
            with self._stopwatch.lap("probe"):
                took = self._prober.wait(started, self._parts.settings.app_host(target.app.name))
        except KuramaError:
            self.stop(started)
            raise
        if started:
            self._narrator.step(f"Starting {_counted(started)} … healthy in {duration.short(took)}")
        return started

    def switch(self, app: App, web: Sequence[Replica]) -> None:
        """Send the app's requests to `web` and to nobody else, and say what that cost."""
        with self._stopwatch.lap("switch"):
            before = self._parts.router.errors(app.name)
            self._parts.router.point_at(app.name, addresses(web))
        with self._stopwatch.lap("settle"):
            time.sleep(_SETTLE_S)
            dropped = max(0, self._parts.router.errors(app.name) - before)
        self._narrator.step(f"Switched the router: {dropped} requests dropped")

    def stop(self, replicas: Sequence[Replica]) -> None:
        """Let replicas finish what they have and end them, in the background.

        If the worker can't be told now, the reconciler will do it.
        """
        if replicas:
            with contextlib.suppress(KuramaError):
                self._parts.worker.stop([replica.instance for replica in replicas])

    def start(self, target: Target, process: str, count: int, first: int) -> list[Replica]:
        """Start `count` replicas of a process, numbered from `first`, without asking after them."""
        if not count:
            return []
        return self._parts.worker.start(
            app=target.app.name,
            release=target.release.version,
            process=process,
            image=target.image.reference,
            count=count,
            first=first,
            limits=limits(self._parts.settings),
            environment=target.release.config,
            grace_s=self._drain_s,
        )


def addresses(replicas: Sequence[Replica]) -> list[str]:
    """Where the web replicas among `replicas` listen."""
    return [f"{one.host}:{one.port}" for one in replicas if one.process == "web"]


def current(replicas: Sequence[Replica], release: Release) -> list[Replica]:
    """Of an app's replicas, those that serve: of `release`, and the newest of each number."""
    newest: dict[tuple[str, int], Replica] = {}
    for replica in sorted(replicas, key=lambda one: one.created_at):
        if replica.release == release.version and replica.state not in _GOING:
            newest[replica.process, replica.number] = replica
    return sorted(newest.values(), key=lambda one: (one.process != "web", one.process, one.number))


def formation(image: Image, wanted: Mapping[str, int]) -> dict[str, int]:
    """How many of each process of `image`: as wanted, else one."""
    return {process: wanted.get(process, 1) for process in _ordered(image.processes)}


def _ordered(processes: Mapping[str, object]) -> list[str]:
    return sorted(processes, key=lambda process: (process != "web", process))


def _counted(replicas: Sequence[Replica]) -> str:
    """ "2 web replicas and 1 worker replica"."""
    counts: dict[str, int] = {}
    for replica in replicas:
        counts[replica.process] = counts.get(replica.process, 0) + 1
    words = [f"{n} {process} replica{'s' if n > 1 else ''}" for process, n in counts.items()]
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[:-1] else words)
