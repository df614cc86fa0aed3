"""Asks replicas over HTTP until each has answered, or one has ended, or the time is up."""

import http.client
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from server.deploys.excerpt import cause, readable, without_libraries
from server.errors import ProbeFailed
from server.models import Replica, ReplicaState
from server.workers.client import Worker

# Tells the library in the app that nobody asked this; the router takes it off visitors' requests.
PROBE_HEADER = "X-Kurama-Probe"
_PAUSE_S = 0.02
_LOOK_EVERY_S = 0.25
_ANSWER_S = 10.0
# Of what a replica printed: how much is looked at, and how much of it is shown.
_LOOKED_AT = 400
_SHOWN = 20
# A start that takes longer says what is waited for.
_SILENT_S = 3.0
_MOST_AT_ONCE = 16


class Prober:
    """Probes the replicas of one worker; `host` is what the app would see as its own."""

    def __init__(
        self,
        worker: Worker,
        *,
        path: str,
        timeout_s: float,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._worker = worker
        self._path = path
        self._timeout_s = timeout_s
        self._say = say
        self._clock = clock
        self._sleep = sleep

    def wait(self, replicas: Sequence[Replica], host: str) -> float:
        """Return, in seconds, how long it took until every replica was healthy.

        A web replica is healthy when it answers with a status below 500; another when it has kept
        running. Raises ProbeFailed, with the last lines of the replica that failed.
        """
        begun = self._clock()
        deadline = begun + self._timeout_s
        if not replicas:
            return 0.0
        with ThreadPoolExecutor(min(len(replicas), _MOST_AT_ONCE)) as pool:
            # Consumed in order: the first failure is raised, the others end at the deadline.
            for _ in pool.map(lambda replica: self._wait_one(replica, host, deadline), replicas):
                pass
        return self._clock() - begun

    def _wait_one(self, replica: Replica, host: str, deadline: float) -> None:
        problem = "it keeps starting"
        looked = begun = self._clock()
        silent = True
        while self._clock() < deadline:
            if silent and self._clock() - begun > _SILENT_S:
                silent = False
                left = round(deadline - self._clock())
                self._say(f"Waiting for {replica.label}, for {left} s at most: {problem}")
            if replica.process == "web":
                problem = self._ask(replica, host)
                if not problem:
                    return
                if self._clock() - looked < _LOOK_EVERY_S:
                    self._sleep(_PAUSE_S)
                    continue
            looked = self._clock()
            if self._runs(replica) and replica.process != "web":
                return
            self._sleep(_PAUSE_S)
        raise self._failed(replica, f"wasn't healthy within {self._timeout_s:.0f} s ({problem})")

    def _ask(self, replica: Replica, host: str) -> str:
        """Ask once; return "" for a healthy answer of its own, else what is wrong."""
        problem = _ask(replica, host, self._path)
        if not problem and not self._worker.listens(replica.instance):
            return f"another program listens on port {replica.port}, which is its $PORT"
        return problem

    def _runs(self, replica: Replica) -> bool:
        """Whether it is up for good; ProbeFailed when it has ended."""
        now = {one.instance: one for one in self._worker.replicas(replica.app)}
        found = now.get(replica.instance)
        if found is None or found.has_exited or found.state == ReplicaState.CRASHED:
            raise self._failed(replica, "ended while it was starting")
        return found.state == ReplicaState.RUNNING

    def _failed(self, replica: Replica, what: str) -> ProbeFailed:
        lines = list(readable(self._worker.tail(replica.instance, _LOOKED_AT)))
        shown = list(without_libraries(lines))[-_SHOWN:]
        why = cause(lines)
        message = f"{replica.label} {what}" + (f": {why}" if why else "")
        if shown:
            message += "\nIts last lines:\n" + "\n".join(f"    {line}" for line in shown)
        else:
            message += "\nIt printed nothing."
        hint = f"`kurama logs -a {replica.app}` has all that it said."
        if replica.process == "web" and not why:
            hint += f"\nA web process must listen on port $PORT and answer GET {self._path}."
        return ProbeFailed(message, hint)


def _ask(replica: Replica, host: str, path: str) -> str:
    """Ask once; return "" for a healthy answer, else what is wrong."""
    connection = http.client.HTTPConnection(replica.host, replica.port, timeout=_ANSWER_S)
    headers = {"Host": host, PROBE_HEADER: "1", "User-Agent": "kurama-probe", "Connection": "close"}
    try:
        connection.request("GET", path, headers=headers)
        status = connection.getresponse().status
    except ConnectionRefusedError:
        return f"nothing listens on port {replica.port}, which is its $PORT"
    except TimeoutError:
        return f"it takes connections, but doesn't answer GET {path} within {_ANSWER_S:.0f} s"
    except (OSError, http.client.HTTPException) as error:
        return f"it doesn't speak HTTP on its $PORT ({type(error).__name__})"
    finally:
        connection.close()
    return "" if status < 500 else f"it answers GET {path} with {status}"
