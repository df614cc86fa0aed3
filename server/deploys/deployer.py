"""Runs deploys: each in a thread, one at a time for each app, whoever asked and however it ends."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from server.deploys.changes import Change, Push
from server.deploys.narrator import Narrator
from server.deploys.parts import Parts
from server.deploys.progress import Progress
from server.deploys.rollout import Rollout
from server.deploys.stopwatch import Stopwatch
from server.deploys.work import Work
from server.errors import Conflict, DeployFailed, KuramaError
from server.models import Account, App, Deploy, DeployState
from server.router.pages import Problem

_MOST_AT_ONCE = 16
_MOST_WAITING = 5
# How many ended deploys' output is kept in memory for those who ask late.
_REMEMBERED = 200

log = logging.getLogger(__name__)


class Deployer:
    """Takes changes and carries them out in the background."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._pool = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="deploy")
        self._later = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="retire")
        self._progress: dict[int, Progress] = {}
        self._waiting: dict[int, int] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def submit(self, app: App, account: Account, change: Change) -> Deploy:
        """Begin to carry `change` out; Conflict when too many wait for the app already."""
        with self._lock:
            if self._stopping.is_set():
                raise Conflict("Kurama is shutting down", "Try again when it is up.")
            if self._waiting.get(app.id, 0) > _MOST_WAITING:
                raise Conflict(
                    f"{_MOST_WAITING} deploys of {app.name} wait already", "Try again later."
                )
            self._waiting[app.id] = self._waiting.get(app.id, 0) + 1
        try:
            deploy = self._add(app, account, change)
            progress = self._remember(deploy.id)
        except Exception:
            self._leave(app)
            raise
        self._pool.submit(self._run, app, deploy, change, progress)
        return deploy

    def progress(self, deploy_id: int) -> Progress | None:
        """What a deploy says, if it ran in this process not long ago."""
        with self._lock:
            return self._progress.get(deploy_id)

    def close(self, patience: float) -> None:
        """Cancel what runs, wait for it at most `patience` seconds, and take nothing more."""
        self._stopping.set()
        with self._lock:
            running = list(self._progress.values())
        for progress in running:
            progress.wait(patience)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._later.shutdown(wait=False, cancel_futures=True)

    def _add(self, app: App, account: Account, change: Change) -> Deploy:
        commits: dict[str, Any] = {}
        if isinstance(change, Push):
            commits = {
                "branch": change.branch,
                "old_commit": change.old_commit,
                "new_commit": change.new_commit,
            }
        return self._parts.deploys.add(app, change.kind, account, **commits)

    def _remember(self, deploy_id: int) -> Progress:
        progress = Progress()
        with self._lock:
            self._progress[deploy_id] = progress
            while len(self._progress) > _REMEMBERED:
                del self._progress[next(iter(self._progress))]
        return progress

    def _leave(self, app: App) -> None:
        with self._lock:
            self._waiting[app.id] -= 1
            if not self._waiting[app.id]:
                del self._waiting[app.id]

    def _run(self, app: App, deploy: Deploy, change: Change, progress: Progress) -> None:
        """The whole life of a deploy in its thread: an edge, where every error becomes its end."""
        narrator = Narrator(progress.add)
        stopwatch = Stopwatch()
        error: KuramaError | None = None
        try:
            self._carry_out(app, deploy, change, narrator, stopwatch)
        except KuramaError as known:
            error = known
        except Exception as unknown:
            log.exception("deploy %s of %s", deploy.id, app.name)
            error = DeployFailed(
                f"An error inside Kurama: {type(unknown).__name__}: {unknown}",
                "The interface's log has the details (home/logs/interface.log).",
            )
        finally:
            if error:
                narrator.failure(error)
            self._end(app, deploy, change, progress, error, stopwatch)

    def _carry_out(
        self, app: App, deploy: Deploy, change: Change, narrator: Narrator, stopwatch: Stopwatch
    ) -> None:
        settings = self._parts.settings
        self._say_who_is_first(app, narrator)
        with self._parts.deploys.lock(app.id, settings.deploy.lock_timeout.total_seconds()):
            # It may have been changed, or destroyed, while this one waited.
            app = self._parts.apps.get(app.id)
            self._parts.deploys.start(deploy)
            if app.release_id is None:
                self._parts.router.stand_in(app.name, Problem.DEPLOYING)
            try:
                change.run(self._work(app, deploy, narrator, stopwatch))
            except BaseException:
                if app.release_id is None:
                    self._parts.router.stand_in(app.name, Problem.NO_CODE)
                else:
                    narrator.step(f"v{app.version} goes on serving as it was")
                raise

    def _work(self, app: App, deploy: Deploy, narrator: Narrator, stopwatch: Stopwatch) -> Work:
        return Work(
            parts=self._parts,
            app=app,
            deploy=deploy,
            narrator=narrator,
            rollout=Rollout(self._parts, narrator, stopwatch),
            cancelled=self._stopping,
            later=self._submit_later,
            stopwatch=stopwatch,
        )

    def _submit_later(self, task: Callable[[], None]) -> None:
        def run() -> None:
            try:
                task()
            except KuramaError as error:
                log.warning("after a deploy: %s", error.message)

        self._later.submit(run)

    def _say_who_is_first(self, app: App, narrator: Narrator) -> None:
        other = self._parts.deploys.running(app)
        if other is not None:
            narrator.step(
                f"Waiting for a {other.kind} by {other.created_by}, which began "
                f"{other.started_at:%H:%M:%S} UTC"
            )

    def _end(
        self,
        app: App,
        deploy: Deploy,
        change: Change,
        progress: Progress,
        error: KuramaError | None,
        stopwatch: Stopwatch,
    ) -> None:
        state = DeployState.FAILED if error else DeployState.SUCCEEDED
        try:
            if error and isinstance(change, Push):
                restore_branch(self._parts, app, change.branch, change.new_commit)
            self._parts.deploys.end(
                deploy.id,
                state,
                error=described(error),
                timings=stopwatch.laps_s,
                output=progress.text,
            )
        except KuramaError as failure:
            # Recovery finds it at the next start; the follower learns of the end in any case.
            log.warning("deploy %s could not be marked as ended: %s", deploy.id, failure.message)
        finally:
            progress.error = error
            progress.end()
            self._leave(app)


def described(error: KuramaError | None) -> Mapping[str, Any] | None:
    """An error as it is kept with its deploy."""
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "hint": error.hint}


def restore_branch(parts: Parts, app: App, branch: str, failed: str) -> None:
    """Put the branch back where the last good push left it: the same push can be tried again.

    If it has moved on in the meantime, to a later push that waits its turn, it stays.
    """
    target = parts.deploys.last_pushed_commit(app, branch)
    if target != failed:
        parts.repository(app).move(branch, failed, target)
