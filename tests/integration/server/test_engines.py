"""Engines that Kurama starts itself, where a machine is odd."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from server.engines.postgres import EmbeddedPostgres
from server.settings import Settings
from tests.conftest import eventually


@pytest.fixture
def zombie() -> Iterator[int]:
    """The pid of a process that has ended and that nobody has waited for."""
    process = subprocess.Popen(["true"])
    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    yield process.pid
    process.wait()


def _lock(home: Path, pid: int) -> Path:
    data = home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    lock = data / "postmaster.pid"
    lock.write_text(f"{pid}\n{data}\n1764000000\n5432\n")
    return lock


def test_the_lock_of_a_dead_server_does_not_hold(tmp_path: Path, zombie: int) -> None:
    """A zombie can't be told from a running server by PostgreSQL itself."""
    settings = Settings(home=tmp_path)
    lock, socket_lock = _lock(tmp_path, zombie), settings.run_dir / "pg" / ".s.PGSQL.5432.lock"
    socket_lock.parent.mkdir(parents=True, exist_ok=True)
    socket_lock.write_text(lock.read_text())
    EmbeddedPostgres(settings).prepare()
    assert not lock.exists()
    assert not socket_lock.exists()


def test_the_lock_of_a_living_server_holds(tmp_path: Path) -> None:
    """Whoever it is: two servers on the same data would ruin it."""
    lock = _lock(tmp_path, os.getpid())
    EmbeddedPostgres(Settings(home=tmp_path)).prepare()
    assert lock.exists()
