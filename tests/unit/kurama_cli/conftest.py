"""What the command line's tests share: a user with a folder, logged in to a double."""

import http.client
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kurama_cli import credentials
from kurama_cli.credentials import Login
from tests.conftest import needs
from tests.unit.kurama_cli.server_double import ServerDouble

SERVER = "http://127.0.0.1:5001"
Git = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home, with an empty folder in it as the current one."""
    for name in os.environ:
        if name.startswith(("KURAMA_", "GIT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> ServerDouble:
    """A server that the user of `home` is logged in to."""
    double = ServerDouble()
    monkeypatch.setattr(http.client, "HTTPConnection", double.connection)
    credentials.load().remember(Login(SERVER, "ada@example.org", "token-1"))
    return double


@pytest.fixture
def git(home: Path) -> Git:
    """The current folder as a repository of a real git, and the means to change it."""
    needs(shutil.which("git") is not None, "git is not installed")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, cwd=home / "work"
        )
        return done.stdout.strip()

    run("init", "-q", "-b", "main")
    return run
