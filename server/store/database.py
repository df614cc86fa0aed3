"""The connections to PostgreSQL, and the one place where the driver's errors become ours."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiosql
import psycopg2
import psycopg2.extensions
import psycopg2.extras
import psycopg2.pool

from server.errors import Conflict, StoreError, StoreUnavailable

_QUERIES = Path(__file__).parent / "queries"
_CONNECT_TIMEOUT_S = 5
# A statement that runs longer has gone wrong; the longest honest one is a text search over a day.
_STATEMENT_TIMEOUT_MS = 60_000


class Database:
    """A bounded pool of connections to one database.

    `url` is a libpq URL or DSN; `connections` the most that are ever open. A caller waits for a
    free one, at most `wait` seconds, and then gets StoreUnavailable.
    """

    def __init__(self, url: str, connections: int, wait: float = 10.0) -> None:
        self._url = url
        self._wait = wait
        self._free = threading.BoundedSemaphore(connections)
        self._pool: psycopg2.pool.ThreadedConnectionPool | None = None
        self._connections = connections
        self._lock = threading.Lock()
        self.queries: Any = aiosql.from_path(_QUERIES, "psycopg2", mandatory_parameters=False)

    @contextmanager
    def transaction(self) -> Iterator[psycopg2.extensions.connection]:
        """One transaction: committed at the end of the block, rolled back by an exception."""
        if not self._free.acquire(timeout=self._wait):
            raise StoreUnavailable(
                f"All {self._connections} connections to PostgreSQL were in use for {self._wait} s",
                "Try again; if it lasts, raise database.connections.",
            )
        try:
            with translated():
                connection = self._take()
                try:
                    with connection:
                        yield connection
                finally:
                    self._give_back(connection)
        finally:
            self._free.release()

    def connect(self) -> psycopg2.extensions.connection:
        """A connection of the caller's own, outside the pool, for a lock or a COPY."""
        with translated():
            return _connect(self._url)

    def ping(self) -> None:
        """Raise StoreUnavailable unless the database answers."""
        with self.transaction() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def close(self) -> None:
        """Close every connection; the object can be used again afterwards."""
        with self._lock:
            if self._pool is not None:
                self._pool.closeall()
                self._pool = None

    def _take(self) -> psycopg2.extensions.connection:
        with self._lock:
            if self._pool is None:
                self._pool = psycopg2.pool.ThreadedConnectionPool(
                    1, self._connections, self._url, **_OPTIONS
                )
            pool = self._pool
        connection: psycopg2.extensions.connection = pool.getconn()
        return connection

    def _give_back(self, connection: psycopg2.extensions.connection) -> None:
        pool = self._pool
        if pool is not None:
            pool.putconn(connection, close=bool(connection.closed))


_OPTIONS: dict[str, Any] = {
    "connect_timeout": _CONNECT_TIMEOUT_S,
    "application_name": "kurama",
    "client_encoding": "UTF8",
    "cursor_factory": psycopg2.extras.RealDictCursor,
    "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} -c timezone=UTC",
}


def _connect(url: str) -> psycopg2.extensions.connection:
    connection: psycopg2.extensions.connection = psycopg2.connect(url, **_OPTIONS)
    return connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's exceptions into StoreUnavailable, Conflict and StoreError."""
    try:
        yield
    except psycopg2.errors.UniqueViolation as error:
        raise Conflict("It is there already", str(error.diag.message_detail or "")) from error
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise StoreUnavailable(
            f"PostgreSQL can't be reached: {_first_line(error)}",
            "See `kurama status`; nothing is lost while it is away.",
        ) from error
    except psycopg2.Error as error:
        raise StoreError(f"PostgreSQL refused a statement: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
