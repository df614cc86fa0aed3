"""Who is logged in where: one file that only its owner can read."""

import stat
from pathlib import Path

import pytest

from kurama_cli import credentials
from kurama_cli import git as kurama_git
from kurama_cli.credentials import Credentials, Login
from tests.unit.kurama_cli.conftest import Git

ONE = Login("http://one", "ada@example.org", "hush-1")
TWO = Login("http://two", "ada@example.org", "hush-2")


def mode(path: Path) -> int:
    """Who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def store(tmp_path: Path) -> Credentials:
    """An empty one, in a folder that isn't there yet."""
    return Credentials(tmp_path / "config" / "kurama")


def test_the_latest_login_is_the_first(store: Credentials) -> None:
    """One for each server."""
    assert store.all() == []
    store.remember(ONE)
    store.remember(TWO)
    assert store.all() == [TWO, ONE]
    again = Login("http://one", "bob@example.org", "hush-3")
    store.remember(again)
    assert store.all() == [again, TWO]
    assert store.on("http://one") == again
    assert store.on("http://three") is None


def test_a_login_is_forgotten(store: Credentials) -> None:
    """Only that one; and one that isn't there may be forgotten too."""
    store.remember(ONE)
    store.remember(TWO)
    store.forget("http://two")
    store.forget("http://three")
    assert store.all() == [ONE]


@pytest.mark.parametrize("left_over", [False, True])
def test_only_its_owner_can_read_it(tmp_path: Path, *, left_over: bool) -> None:
    """Also where a file lay about that others could read; and nothing else stays."""
    folder = tmp_path / "kurama"
    if left_over:
        folder.mkdir(mode=0o700)
        (folder / "credentials.tmp").write_text("old")
        (folder / "credentials.tmp").chmod(0o644)
        (folder / "credentials.json").write_text("{}")
        (folder / "credentials.json").chmod(0o644)
    Credentials(folder).remember(ONE)
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {"credentials.json": 0o600}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"logins": 1}', '{"logins": [{"server": "x"}]}']
)
def test_a_broken_file_is_nobody_logged_in(tmp_path: Path, content: str) -> None:
    """And the next login mends it."""
    (tmp_path / "credentials.json").write_text(content)
    store = Credentials(tmp_path)
    assert store.all() == []
    store.remember(ONE)
    assert store.all() == [ONE]


def test_it_is_where_the_desktop_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$XDG_CONFIG_HOME, else ~/.config."""
    credentials.load().remember(ONE)
    assert (home / "config" / "kurama" / "credentials.json").exists()
    monkeypatch.delenv("XDG_CONFIG_HOME")
    credentials.load().remember(ONE)
    assert (home / ".config" / "kurama" / "credentials.json").exists()


def test_git_finds_the_token_for_its_server_only(git: Git, home: Path) -> None:
    """In a file that only its owner can read; a new token takes the old one's place."""
    file = home / "config" / "git-credentials"
    for token in ("old", "new"):
        kurama_git.remember_token("http://127.0.0.1:5001", token, file)
    assert mode(file) == 0o600
    assert file.read_text() == "http://kurama:new@127.0.0.1%3a5001\n"
    helpers = git("config", "--global", "--get-all", "credential.http://127.0.0.1:5001.helper")
    assert helpers == f"\nstore --file={file}".strip()
    kurama_git.forget_token("http://127.0.0.1:5001", file)
    assert file.read_text() == ""
