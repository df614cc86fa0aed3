"""Makes the database and brings it to the newest schema; safe for several programs at once."""

from pathlib import Path

import psycopg2
import psycopg2.errors
import psycopg2.sql

from server.errors import StoreError
from server.store.database import translated

_FOLDER = Path(__file__).parent / "migrations"
_BOOKKEEPING = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()
)
"""


def create_database(admin_url: str, name: str) -> None:
    """Make the role `name` and its database `name`, where they are not there yet."""
    with translated():
        connection = psycopg2.connect(admin_url, connect_timeout=5)
        connection.autocommit = True
        identifier = psycopg2.sql.Identifier(name)
        try:
            for statement in ("CREATE ROLE {} LOGIN", "CREATE DATABASE {} OWNER {}"):
                with connection.cursor() as cursor:
                    try:
                        cursor.execute(psycopg2.sql.SQL(statement).format(identifier, identifier))
                    except (psycopg2.errors.DuplicateObject, psycopg2.errors.DuplicateDatabase):
                        continue
        finally:
            connection.close()


def migrate(url: str) -> list[str]:
    """Apply what `url`'s database has not seen yet; return the names of what was applied.

    All of it is one transaction under an advisory lock: a program that is killed in the middle
    leaves neither half a schema nor a lock. Raises StoreUnavailable, and StoreError for a database
    that a newer Kurama has migrated or that isn't in UTF-8.
    """
    applied = []
    known = {path.stem: path for path in sorted(_FOLDER.glob("*.sql"))}
    with translated():
        connection = psycopg2.connect(url, connect_timeout=5)
        try:
            with connection, connection.cursor() as cursor:
                _check_encoding(connection.info.parameter_status("server_encoding"))
                cursor.execute("SELECT pg_advisory_xact_lock(hashtext('kurama migrations'))")
                cursor.execute(_BOOKKEEPING)
                cursor.execute("SELECT name FROM schema_migrations")
                seen = {name for (name,) in cursor.fetchall()}
                _check_age(seen - set(known))
                for name, path in known.items():
                    if name not in seen:
                        cursor.execute(path.read_text())
                        cursor.execute("INSERT INTO schema_migrations VALUES (%s)", (name,))
                        applied.append(name)
        finally:
            connection.close()
    return applied


def _check_age(unknown: set[str]) -> None:
    if unknown:
        raise StoreError(
            f"The database has migrations that this Kurama doesn't know: "
            f"{', '.join(sorted(unknown))}",
            "A newer Kurama has used it: install that one, or restore a backup from before.",
        )


def _check_encoding(encoding: str | None) -> None:
    if encoding != "UTF8":
        raise StoreError(
            f"The database's encoding is {encoding}, which can't hold what applications log",
            "Make one with ENCODING 'UTF8' TEMPLATE template0, and set database.url to it.",
        )
