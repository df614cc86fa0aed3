"""Which app and which server a command is about."""

from pathlib import Path

import pytest

from kurama_cli import credentials
from kurama_cli import git as kurama_git
from kurama_cli.credentials import Login
from kurama_cli.main import run
from tests.unit.kurama_cli.conftest import SERVER, Git
from tests.unit.kurama_cli.server_double import ServerDouble

OTHER = "http://10.0.0.7:5001"


def asked(server: ServerDouble, *arguments: str) -> tuple[int, list[str]]:
    """The exit status of `kurama releases`, and what it asked for."""
    for app in ("shop", "blog"):
        server.answers[f"GET /apps/{app}/releases?count=15"] = (200, {"releases": []})
    return run(["releases", *arguments]), server.paths()


def add(git: Git, name: str, app: str, server: str = SERVER) -> None:
    """A kurama remote."""
    git("remote", "add", name, f"{server}/git/{app}.git")


def test_an_app_is_named(server: ServerDouble) -> None:
    """With -a, in any folder; the token goes with it."""
    assert asked(server, "-a", "shop") == (0, ["GET /apps/shop/releases?count=15"])
    assert server.asked[0].token == "token-1"
    assert server.asked[0].server == SERVER


def test_the_folders_only_kurama_remote_names_it(server: ServerDouble, git: Git) -> None:
    """Whatever its name, beside remotes of other forges."""
    git("remote", "add", "origin", "https://github.com/ada/shop.git")
    git("remote", "add", "lab", "https://lab.example.com/git/team/shop.git")
    git("remote", "add", "ssh", "git@example.com:git/shop.git")
    add(git, "anything", "shop")
    assert asked(server) == (0, ["GET /apps/shop/releases?count=15"])


def test_also_from_a_folder_within(
    server: ServerDouble, git: Git, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git itself has it."""
    add(git, "kurama", "shop")
    (home / "work" / "deep").mkdir()
    monkeypatch.chdir(home / "work" / "deep")
    assert asked(server)[0] == 0


def test_of_several_remotes_one_is_chosen(
    server: ServerDouble, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not by Kurama: the error lists them, with their apps and servers."""
    add(git, "kurama", "shop")
    add(git, "staging", "blog", OTHER)
    status, paths = asked(server)
    said = capsys.readouterr().err
    assert (status, paths) == (2, [])
    for word in ("kurama ", "staging ", f"shop on {SERVER}", f"blog on {OTHER}", "-r REMOTE"):
        assert word in said
    assert asked(server, "-r", "kurama") == (0, ["GET /apps/shop/releases?count=15"])


def test_a_named_app_wins_over_the_folder(server: ServerDouble, git: Git) -> None:
    """Also over several remotes."""
    add(git, "kurama", "shop")
    add(git, "staging", "blog")
    assert asked(server, "-a", "blog") == (0, ["GET /apps/blog/releases?count=15"])


@pytest.mark.parametrize("arguments", [[], ["-r", "kurama"]])
def test_without_a_remote_an_app_must_be_named(
    server: ServerDouble, git: Git, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage, and what to do."""
    assert asked(server, *arguments) == (2, [])
    assert "remote" in capsys.readouterr().err


def test_a_folder_without_git_is_no_error_of_its_own(
    server: ServerDouble, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same answer as without a remote."""
    assert asked(server) == (2, [])
    assert "-a APP" in capsys.readouterr().err


def test_a_remotes_server_is_asked(
    server: ServerDouble, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the token of the login there, not that of the latest."""
    add(git, "kurama", "shop", OTHER)
    assert asked(server)[0] == 3
    assert f"kurama login {OTHER}" in capsys.readouterr().err
    store = credentials.load()
    store.remember(Login(OTHER, "ada@example.org", "token-2"))
    store.remember(Login(SERVER, "ada@example.org", "token-1"))
    assert asked(server)[0] == 0
    assert (server.asked[0].server, server.asked[0].token) == (OTHER, "token-2")


def test_a_password_in_a_remote_is_neither_used_nor_shown(
    server: ServerDouble, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server is the same one without it."""
    git("remote", "add", "kurama", "http://kurama:hush@127.0.0.1:5001/git/shop.git")
    assert asked(server)[0] == 0
    git("remote", "add", "other", "http://kurama:hush@10.0.0.7:5001/git/shop.git")
    assert asked(server)[0] == 2
    assert asked(server, "-r", "other")[0] == 3
    said = capsys.readouterr()
    assert "hush" not in said.out + said.err


def test_the_server_is_the_latest_logins(server: ServerDouble) -> None:
    """Unless --server or KURAMA_SERVER names another."""
    credentials.load().remember(Login(OTHER, "ada@example.org", "token-2"))
    asked(server, "-a", "shop")
    assert server.asked[-1].server == OTHER
    run(["--server", f"{SERVER}/", "releases", "-a", "shop"])
    assert (server.asked[-1].server, server.asked[-1].token) == (SERVER, "token-1")


def test_the_environment_names_a_server(
    server: ServerDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below --server, above the latest login."""
    credentials.load().remember(Login(OTHER, "ada@example.org", "token-2"))
    monkeypatch.setenv("KURAMA_SERVER", SERVER)
    asked(server, "-a", "shop")
    assert server.asked[-1].server == SERVER
    run(["--server", OTHER, "releases", "-a", "shop"])
    assert server.asked[-1].server == OTHER


@pytest.mark.parametrize(
    ("app", "path"),
    [
        ("../accounts", "..%2Faccounts"),
        ("a b", "a%20b"),
        ("shop?x=1", "shop%3Fx%3D1"),
        ("shop/config", "shop%2Fconfig"),
        ("shöp", "sh%C3%B6p"),
    ],
)
def test_what_is_no_name_is_asked_for_as_one(server: ServerDouble, app: str, path: str) -> None:
    """The server says that there is no such app; nothing else is touched."""
    assert asked(server, "-a", app) == (4, [f"GET /apps/{path}/releases?count=15"])


def test_git_is_asked_for_remotes_only_where_it_must(
    server: ServerDouble, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With -a, a machine without git will do; without it, it is told."""
    monkeypatch.setenv("PATH", str(home))
    assert asked(server, "-a", "shop")[0] == 0
    assert asked(server)[0] == 1


def test_a_remotes_parts_are_read_whatever_its_name(git: Git) -> None:
    """Also one with dots, as git allows."""
    add(git, "my.remote.url", "shop")
    (found,) = kurama_git.kurama_remotes()
    assert (found.name, found.app, found.server) == ("my.remote.url", "shop", SERVER)
