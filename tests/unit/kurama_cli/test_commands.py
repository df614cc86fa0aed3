"""What the commands ask of the server, and what they say of its answers."""

import io
import json
import sys
from typing import Any

import pytest

from kurama_cli import credentials
from kurama_cli.main import run
from tests.unit.kurama_cli.conftest import SERVER, Git
from tests.unit.kurama_cli.server_double import ServerDouble, lines

AT = "2026-01-31T12:00:00Z"
APP = {
    "name": "shop",
    "url": "http://shop.localhost:5080",
    "git_url": f"{SERVER}/git/shop.git",
    "owner": "ada@example.org",
    "release": "v12",
    "created_at": AT,
}
RECORD = {
    "timestamp": "2026-01-31T12:00:00.123456Z",
    "level": "ERROR",
    "message": "boom\n  line 2",
    "replica": "web.1",
}
OUTPUT = "GET /apps/shop/deploys/7/output"


def deploying(server: ServerDouble, request: str, *events: Any) -> None:
    """Let a request begin deploy 7, which says these events."""
    server.answers[request] = (202, {"deploy": {"id": 7}})
    server.answers[OUTPUT] = (200, lines(*events))


def ended(state: str, message: str = "It broke\nmore") -> dict[str, Any]:
    """The last event of a deploy's output."""
    error = {"code": "x", "message": message, "hint": "Mend it."} if state == "failed" else None
    return {"end": {"id": 7, "state": state, "error": error}}


def test_a_deploy_is_followed_to_its_end(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line by line, cleaned for the terminal."""
    deploying(
        server, "POST /apps/shop/restart", {"line": "-----> \x1b[31mStarting"}, ended("succeeded")
    )
    assert run(["restart", "-a", "shop"]) == 0
    assert capsys.readouterr().out == "-----> Starting\n"


def test_a_failed_deploy_is_a_failed_command(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its output has said why; the error is its first line."""
    deploying(server, "POST /apps/shop/restart", {"line": " !     It broke"}, ended("failed"))
    assert run(["restart", "-a", "shop"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == (" !     It broke\n", "Error: It broke\n")


def test_a_deploy_as_json_is_one_document(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its lines; a failure has its whole error on stderr too."""
    deploying(server, "POST /apps/shop/restart", {"line": "said"}, ended("failed"))
    assert run(["restart", "-a", "shop", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["state"] == "failed"
    assert said.err == "Error: It broke\nmore\nMend it.\n"


@pytest.mark.parametrize("events", [[], [{"line": "x"}], [{"line": "x"}, ended("running")]])
def test_a_deploy_whose_end_is_not_known_is_a_failed_command(
    server: ServerDouble, events: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The connection was cut; it says where to look."""
    deploying(server, "POST /apps/shop/restart", *events)
    assert run(["restart", "-a", "shop"]) == 1
    assert "`kurama releases -a shop`" in capsys.readouterr().err


def test_a_stream_that_is_cut_in_a_line_is_told(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """And is no error inside kurama."""
    deploying(server, "POST /apps/shop/restart")
    server.answers[OUTPUT] = (200, lines({"line": "x"}) + b'{"line": "ha')
    assert run(["restart", "-a", "shop"]) == 1
    assert "inside kurama" not in capsys.readouterr().err


def test_config_without_a_release_waits_for_one(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing runs that would change; -a may stand before `set` or behind."""
    server.answers["PATCH /apps/shop/config"] = (200, {"deploy": None})
    assert run(["config", "set", "A=1", "B=x=y", "C=", "-a", "shop"]) == 0
    assert run(["--server", SERVER, "config", "-a", "shop", "unset", "A"]) == 0
    given = {"A": "1", "B": "x=y", "C": ""}
    assert [one.body for one in server.asked] == [
        {"set": {name: {"value": value, "secret": None} for name, value in given.items()}},
        {"unset": ["A"]},
    ]
    assert "first deploy" in capsys.readouterr().out


@pytest.mark.parametrize(("option", "secret"), [("--secret", True), ("--plain", False)])
def test_a_variable_is_secret_when_it_is_said(
    server: ServerDouble, option: str, *, secret: bool
) -> None:
    """Whatever its name."""
    server.answers["PATCH /apps/shop/config"] = (200, {"deploy": None})
    run(["config", "set", option, "A=1", "-a", "shop"])
    assert server.asked[0].body == {"set": {"A": {"value": "1", "secret": secret}}}


def test_a_secrets_value_is_not_shown(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server doesn't tell it either."""
    found = [
        {"name": "API_KEY", "value": None, "secret": True},
        {"name": "GREETING", "value": "Hi", "secret": False},
    ]
    server.answers["GET /apps/shop/config"] = (200, {"config": found})
    assert run(["config", "-a", "shop"]) == 0
    shown = capsys.readouterr().out.split()
    assert shown == ["name", "value", "API_KEY", "(secret)", "GREETING", "Hi"]
    assert run(["config", "-a", "shop", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found


def test_scaling_and_rolling_back_say_numbers(server: ServerDouble) -> None:
    """As a person writes them, v12 or 12; without one it is the release before."""
    deploying(server, "POST /apps/shop/scale", ended("succeeded"))
    deploying(server, "POST /apps/shop/rollback", ended("succeeded"))
    assert run(["scale", "web=3", "worker=0", "-a", "shop"]) == 0
    for version in (["v12"], ["12"], []):
        assert run(["rollback", *version, "-a", "shop"]) == 0
    bodies = [one.body for one in server.asked if one.method == "POST"]
    assert bodies == [
        {"quantities": {"web": 3, "worker": 0}},
        {"version": 12},
        {"version": 12},
        {"version": None},
    ]


def test_reading_commands_print_one_json_document(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the server said, and nothing else on stdout."""
    replica = {
        "name": "web.1",
        "process": "web",
        "release": "v12",
        "state": "running",
        "worker": "local",
        "started_at": AT,
        "detail": "",
        "memory_mb": None,
        "cpu_percent": 12.5,
    }
    account = {"email": "ada@example.org", "is_admin": True, "created_at": AT}
    token = {"id": 1, "name": "n", "created_at": AT, "expires_at": None, "last_used_at": None}
    cases = {
        ("apps",): ("/apps", {"apps": [APP]}, [APP]),
        ("ps", "-a", "shop"): ("/apps/shop/processes", {"replicas": [replica]}, [replica]),
        ("whoami",): ("/whoami", account, {"server": SERVER, **account}),
        ("tokens",): ("/tokens", {"tokens": [token]}, [token]),
        ("users",): ("/accounts", {"accounts": [account]}, [account]),
        ("logs", "-a", "shop", "-n", "1"): (
            "/apps/shop/logs?count=1",
            {"records": [RECORD]},
            [RECORD],
        ),
    }
    for arguments, (path, answer, document) in cases.items():
        server.answers[f"GET {path}"] = (200, answer)
        assert run([*arguments, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == document
        assert run(list(arguments)) == 0
        assert capsys.readouterr().out.strip()


def test_logs_are_shown_for_people(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line a record, more lines indented; what a source calls its replica is cleaned too."""
    hostile = RECORD | {"replica": "\x1b[2Jx", "message": "\x1b[31mred"}
    server.answers["GET /apps/shop/logs?count=100"] = (200, {"records": [RECORD, hostile]})
    assert run(["logs", "-a", "shop"]) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.split() == ["2026-01-31T12:00:00.123Z", "web.1", "ERROR", "boom"]
    assert second.strip() == "line 2"
    assert third.split()[1:] == ["x", "ERROR", "red"]


def test_logs_filters_are_the_servers(server: ServerDouble) -> None:
    """Each as it is, those that aren't given left out."""
    run(["logs", "-a", "shop", "-n", "5", "--level", "error", "--grep", "a b&c", "--since", "5m"])
    assert server.paths() == ["GET /apps/shop/logs?count=5&since=5m&level=ERROR&grep=a+b%26c"]


def test_a_tail_shows_records_and_what_was_missed(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Records as JSON lines on stdout, what was missed on stderr."""
    events = lines({"record": RECORD}) + b"\n" + lines({"missed": 3})
    server.answers["GET /apps/shop/logs/stream?count=10"] = (200, events)
    assert run(["logs", "-a", "shop", "--tail", "--json"]) == 0
    said = capsys.readouterr()
    assert [json.loads(line) for line in said.out.splitlines()] == [RECORD]
    assert "3 records were left out" in said.err


def test_destroying_asks_for_the_apps_name(
    server: ServerDouble, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another name deletes nothing; the app's own deletes its git remote too."""
    git("remote", "add", "kurama", APP["git_url"])
    server.answers |= {"GET /apps/shop": (200, {"app": APP}), "DELETE /apps/shop": (204, b"")}
    assert run(["destroy", "--confirm", "shop2"]) == 1
    monkeypatch.setattr(sys, "stdin", io.StringIO("blog\n"))
    assert run(["destroy"]) == 1
    assert "DELETE /apps/shop" not in server.paths()
    monkeypatch.setattr(sys, "stdin", io.StringIO("shop\n"))
    assert run(["destroy"]) == 0
    assert "DELETE /apps/shop" in server.paths()
    assert git("remote") == ""


def test_destroying_what_is_not_there_asks_nothing(server: ServerDouble) -> None:
    """It is told at once."""
    assert run(["destroy", "-a", "gone"]) == 4


def test_creating_adds_a_remote(
    server: ServerDouble, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder's name where none is given; a remote that is there is not replaced."""
    server.answers["POST /apps"] = (201, {"app": APP})
    assert run(["create"]) == 0
    assert server.asked[0].body == {"name": "work"}
    assert git("remote", "get-url", "kurama") == APP["git_url"]
    assert "git push kurama main" in capsys.readouterr().out
    assert run(["create", "other"]) == 1
    assert len(server.asked) == 1
    assert "git remote remove kurama" in capsys.readouterr().err


def test_creating_outside_of_a_repository_says_how_to_go_on(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """The app is made all the same."""
    server.answers["POST /apps"] = (201, {"app": APP})
    assert run(["create", "shop"]) == 0
    assert f"git remote add kurama {APP['git_url']}" in capsys.readouterr().out


def test_logging_in_and_out(
    server: ServerDouble,
    git: Git,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The password is read, not given; the token is kept, told to git, revoked and forgotten."""
    account = {"email": "ada@example.org", "is_admin": False, "created_at": AT}
    server.answers |= {
        "GET /info": (200, {"name": "kurama"}),
        "POST /login": (200, {"token": "hush", "expires_at": None, "account": account}),
        "POST /logout": (204, b""),
    }
    monkeypatch.setattr(sys, "stdin", io.StringIO("secret password\n"))
    arguments = ["login", f"{SERVER}/", "--email", "ada@example.org", "--password-stdin"]
    assert run(arguments) == 0
    body = server.asked[-1].body
    assert (body["email"], body["password"]) == ("ada@example.org", "secret password")
    store = credentials.load()
    assert [one.token for one in store.all()] == ["hush"]
    assert "kurama:hush@" in store.git_file.read_text()
    assert run(["logout"]) == 0
    assert (store.all(), store.git_file.read_text()) == ([], "")
    assert server.asked[-1].token == "hush"
    said = capsys.readouterr()
    assert "hush" not in said.out + said.err
    assert "secret" not in said.out + said.err


def test_a_deploy_needs_a_commit(
    server: ServerDouble, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before git is asked to push."""
    git("remote", "add", "kurama", APP["git_url"])
    assert run(["deploy"]) == 1
    assert "There is no commit to deploy" in capsys.readouterr().err
