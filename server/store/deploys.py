"""Deploys, one after the other for each app, and the lock that makes it so."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extras import Json

from server.errors import Conflict, NotFound
from server.models import Account, App, Deploy, DeployKind, DeployState
from server.store.database import Database, translated

# The first key of the advisory locks, so that they meet no other program's in a shared database.
_LOCK_SPACE = 0x4B55


class Deploys:
    """Each deploy of each app, and who may run one now."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        app: App,
        kind: DeployKind,
        account: Account,
        *,
        branch: str | None = None,
        old_commit: str | None = None,
        new_commit: str | None = None,
    ) -> Deploy:
        """Record a deploy as queued."""
        with self._database.transaction() as connection:
            row = self._database.queries.insert_deploy(
                connection,
                app_id=app.id,
                kind=kind,
                created_by=account.email,
                branch=branch,
                old_commit=old_commit,
                new_commit=new_commit,
            )
        return _deploy(row)

    def get(self, app: App, deploy_id: int) -> Deploy:
        """The app's deploy with this id; NotFound if it has none."""
        with self._database.transaction() as connection:
            row = self._database.queries.find_deploy(connection, app_id=app.id, deploy_id=deploy_id)
        if row is None:
            raise NotFound(f"{app.name} has no deploy {deploy_id}")
        return _deploy(row)

    def unended(self) -> list[Deploy]:
        """Every deploy that is queued or running by the book, oldest first."""
        with self._database.transaction() as connection:
            rows = list(self._database.queries.list_unended_deploys(connection))
        return [_deploy(row) for row in rows]

    def running(self, app: App) -> Deploy | None:
        """The deploy that holds the app's lock, if one does."""
        with self._database.transaction() as connection:
            row = self._database.queries.find_running_deploy(connection, app_id=app.id)
        return _deploy(row) if row else None

    def start(self, deploy: Deploy) -> None:
        """Mark as running; the caller holds the app's lock."""
        with self._database.transaction() as connection:
            self._database.queries.start_deploy(connection, deploy_id=deploy.id)

    def end(
        self,
        deploy_id: int,
        state: DeployState,
        *,
        error: Mapping[str, Any] | None = None,
        timings: Mapping[str, float] | None = None,
        output: str = "",
    ) -> None:
        """Mark as ended, unless it has ended before. NUL, which PostgreSQL refuses, is replaced."""
        with self._database.transaction() as connection:
            self._database.queries.end_deploy(
                connection,
                deploy_id=deploy_id,
                state=state,
                error=Json(error) if error else None,
                timings=Json(timings) if timings else None,
                output=output.replace("\0", "\N{REPLACEMENT CHARACTER}"),
            )

    def last_pushed_commit(self, app: App, branch: str) -> str | None:
        """The commit of the last push of `branch` that went through, or None."""
        with self._database.transaction() as connection:
            commit = self._database.queries.last_pushed_commit(
                connection, app_id=app.id, branch=branch
            )
        return str(commit) if commit else None

    @contextmanager
    def lock(self, app_id: int, wait: float) -> Iterator[None]:
        """Hold the app's deploy lock; Conflict if it isn't free within `wait` seconds (0: at once).

        It is a session's advisory lock on a connection of its own: whatever ends the holder, be it
        kill -9, frees it.
        """
        connection = self._database.connect()
        try:
            with translated(), connection, connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0; SET idle_session_timeout = 0")
                self._acquire(cursor, app_id, wait)
            yield
        finally:
            connection.close()

    def _acquire(self, cursor: Any, app_id: int, wait: float) -> None:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s) AS got", (_LOCK_SPACE, app_id))
        if cursor.fetchone()["got"]:
            return
        busy = Conflict(
            "Another deploy of this app is under way",
            "Wait for it (`kurama releases` shows it), then try again.",
        )
        if wait <= 0:
            raise busy
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{int(wait * 1000)}ms",))
        try:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", (_LOCK_SPACE, app_id))
        except psycopg2.errors.LockNotAvailable:
            raise busy from None


def _deploy(row: Mapping[str, Any]) -> Deploy:
    kind, state = DeployKind(row["kind"]), DeployState(row["state"])
    return Deploy(**{**row, "kind": kind, "state": state})
