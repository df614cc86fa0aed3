"""Brings a database to the newest schema; safe to run by several programs at once."""

from pathlib import Path

import yoyo

from server.errors import StoreError, StoreUnavailable

_FOLDER = Path(__file__).parent / "migrations"


def migrate(url: str) -> list[str]:
    """Apply what `url`'s database has not seen yet; return the names of what was applied.

    Raises StoreUnavailable where the database can't be reached, StoreError where a migration failed
    (its transaction is then rolled back).
    """
    try:
        backend = yoyo.get_backend(_yoyo_url(url))
    except Exception as error:
        raise StoreUnavailable(f"PostgreSQL can't be reached: {error}") from error
    migrations = yoyo.read_migrations(str(_FOLDER))
    try:
        with backend.lock():
            wanted = backend.to_apply(migrations)
            names = [migration.id for migration in wanted]
            backend.apply_migrations(wanted)
    except Exception as error:
        raise StoreError(f"The database could not be migrated: {error}") from error
    finally:
        backend.connection.close()
    return names


def _yoyo_url(url: str) -> str:
    return url.replace("postgres://", "postgresql://", 1)
