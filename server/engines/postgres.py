"""The embedded PostgreSQL: its data under home/postgres, reached by a unix socket only."""

import os
import subprocess
import urllib.parse
from pathlib import Path

import psutil

from server.engines import binaries, confine
from server.errors import EngineError
from server.settings import Settings

_USER = "kurama"
# Small by default: the shared buffers are most of what an idle PostgreSQL holds.
_OPTIONS = {
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "max_connections": "80",
    "max_wal_size": "512MB",
    "autovacuum_naptime": "30s",
    "jit": "off",
    "log_min_messages": "warning",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class EmbeddedPostgres:
    """Where the embedded PostgreSQL lives and how it is started."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.home / "postgres"
        self._sockets = settings.run_dir / "pg"
        self._uid = settings.sandbox.first_uid if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        """The libpq URL of Kurama's database."""
        return self._url(_USER, _USER)

    def argv(self) -> list[str]:
        """What starts the server in the foreground."""
        command = [str(self._programs() / "postgres"), "-D", str(self._data)]
        options = {**_OPTIONS, "unix_socket_directories": str(self._sockets)}
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        return self._as_postgres(command)

    def prepare(self) -> None:
        """Make the folders and, the first time, the cluster; EngineError if initdb fails."""
        for folder in (self._folder, self._data, self._sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._uid is not None:
            self._passwd.write_text(f"{_USER}:x:{self._uid}:{self._uid}::/:/bin/sh\n")
            for folder in (self._data, self._sockets):
                os.chown(folder, self._uid, self._uid)
        for lock in (self._data / "postmaster.pid", self._sockets / ".s.PGSQL.5432.lock"):
            _drop_stale(lock)
        if not (self._data / "PG_VERSION").exists():
            self._initialise()

    @property
    def admin_url(self) -> str:
        """The URL of a superuser, to make Kurama's own role and database."""
        return self._url("postgres", "postgres")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _passwd(self) -> Path:
        return self._folder / "passwd"

    def _programs(self) -> Path:
        """The programs of the version that made the data, else of the newest."""
        made_by = self._data / "PG_VERSION"
        version = int(made_by.read_text()) if made_by.exists() else None
        return binaries.postgres_folder(version)

    def _url(self, user: str, database: str) -> str:
        host = urllib.parse.quote(str(self._sockets), safe="")
        return f"postgresql://{user}@/{database}?host={host}"

    def _initialise(self) -> None:
        command = [str(self._programs() / "initdb"), "--pgdata", str(self._data)]
        # Only the owner of the sockets' folder can reach the server at all.
        command += ["--username", "postgres", "--auth", "trust", "--encoding", "UTF8"]
        command += ["--locale", "C.UTF-8"]
        done = subprocess.run(
            self._as_postgres(command), capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            output = (done.stderr or done.stdout).strip()
            raise EngineError(
                f"PostgreSQL's initdb failed in {self._data}:\n{output}",
                "Mend what it names, or set database.url to a PostgreSQL of yours.",
            )

    def _as_postgres(self, command: list[str]) -> list[str]:
        if self._uid is None:
            return command
        return confine.argv(
            command,
            uid=self._uid,
            readable=[self._programs().parent.parent.parent],
            writable=[self._data, self._sockets],
            passwd=self._passwd,
        )


def _drop_stale(lock: Path) -> None:
    """Delete the lock of a server that is dead, but not yet buried.

    PostgreSQL takes a zombie for a running server, and where process 1 buries nobody, as in many a
    container, it would do so for ever. The caller has ended what ran in this home.
    """
    try:
        owner = psutil.Process(int(lock.read_text().partition("\n")[0]))
        if owner.status() == psutil.STATUS_ZOMBIE:
            lock.unlink()
    except (OSError, ValueError, psutil.Error):
        return
