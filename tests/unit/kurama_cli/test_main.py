"""The edge where errors become output: exit statuses, one block on stderr, never a traceback."""

import json
from pathlib import Path

import click
import pytest

from kurama_cli import errors
from kurama_cli.main import COMMANDS, cli, run
from tests.unit.kurama_cli.server_double import Answer, ServerDouble, problem

RELEASES = "GET /apps/shop/releases?count=15"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((200, {"releases": []}), 0),
        ((400, problem("no")), 1),
        ((403, problem("no")), 1),
        ((409, problem("no")), 1),
        ((500, problem("no")), 1),
        ((503, problem("no")), 1),
        ((422, problem("no")), 2),
        ((401, problem("no")), 3),
        ((404, problem("no")), 4),
        (ConnectionRefusedError("Connection refused"), 5),
        (TimeoutError("timed out"), 5),
    ],
)
def test_the_exit_status_says_what_kind_of_end_it_was(
    server: ServerDouble, answer: Answer | Exception, status: int
) -> None:
    """The six that the documentation names."""
    server.answers[RELEASES] = answer
    assert run(["releases", "-a", "shop"]) == status


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["releases", "--nothing"],
        ["releases", "-n", "0"],
        ["rollback", "twelve", "-a", "shop"],
        ["scale", "-a", "shop"],
        ["scale", "web", "-a", "shop"],
        ["scale", "web=-1", "-a", "shop"],
        ["scale", "web=many", "-a", "shop"],
        ["config", "set", "-a", "shop"],
        ["config", "set", "NAME", "-a", "shop"],
        ["logs", "--level", "LOUD", "-a", "shop"],
        ["--server", "127.0.0.1:5001", "login"],
        ["--server", "http://host:port", "login"],
        ["--server", "http://[", "login"],
        ["--server", "ftp://host", "login"],
    ],
)
def test_wrong_usage_is_told_before_anything_is_done(
    server: ServerDouble, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, on stderr, and the server was not asked."""
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err
    assert "Traceback" not in said.err
    assert server.asked == []


def test_who_is_not_logged_in_is_told_how(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without asking the server."""
    assert run(["apps"]) == 3
    assert "kurama login http://127.0.0.1:5001" in capsys.readouterr().err


def test_an_error_is_one_block(server: ServerDouble, capsys: pytest.CaptureFixture[str]) -> None:
    """What happened, to what, what to do; nothing on stdout."""
    server.answers[RELEASES] = (409, problem("shop is busy", "Wait a moment."))
    run(["releases", "-a", "shop"])
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Error: shop is busy\nWait a moment.\n")


def test_an_error_without_advice_has_none(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """No empty line behind it."""
    server.answers[RELEASES] = (409, problem("shop is busy"))
    run(["releases", "-a", "shop"])
    assert capsys.readouterr().err == "Error: shop is busy\n"


def test_an_error_can_not_disturb_the_terminal(
    server: ServerDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may end with what an app printed."""
    server.answers[RELEASES] = (409, problem("\x1b[2Jgone", "\x9b31mred"))
    run(["releases", "-a", "shop"])
    assert capsys.readouterr().err == "Error: gone\n31mred\n"


def test_an_error_of_ours_is_one_line(
    server: ServerDouble, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a traceback where KURAMA_DEBUG asks for it."""
    server.answers[RELEASES] = (200, {"surprise": 1})
    assert run(["releases", "-a", "shop"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: An error inside kurama: KeyError")
    assert "Traceback" not in said
    monkeypatch.setenv("KURAMA_DEBUG", "1")
    with pytest.raises(KeyError):
        run(["releases", "-a", "shop"])


def test_an_expected_error_has_a_traceback_when_asked_for(
    server: ServerDouble, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit status as before."""
    monkeypatch.setenv("KURAMA_DEBUG", "1")
    assert run(["releases", "-a", "shop"]) == 4
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupted_command_says_so_to_the_shell(
    server: ServerDouble, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """130, as a shell itself has it."""

    def interrupted(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("http.client.HTTPConnection", interrupted)
    assert run(["releases", "-a", "shop"]) == 130


def test_a_misspelt_command_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is something like it."""
    assert run(["relases"]) == 2
    assert "Did you mean `kurama releases`?" in capsys.readouterr().err
    assert run(["xyzzy"]) == 2
    assert "See `kurama --help`." in capsys.readouterr().err


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """And each answers --help itself; the operator's hand theirs over."""
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert not [name for name in COMMANDS if f"  {name} " not in shown]
    for name, (place, _) in COMMANDS.items():
        if not place.startswith("operator:"):
            assert run([name, "--help"]) == 0
            assert f"Usage: kurama {name}" in capsys.readouterr().out


def test_the_table_of_commands_leads_to_commands_of_that_name() -> None:
    """Each is imported only when it is called: nothing else would notice."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Name and number."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("kurama 0.")


def test_each_error_has_the_status_of_its_kind() -> None:
    """As the tree in the module is drawn."""
    kinds = {
        errors.CommandFailed: 1,
        errors.WrongUsage: 2,
        errors.NotLoggedIn: 3,
        errors.NotFound: 4,
        errors.ServerUnreachable: 5,
    }
    assert {kind: kind.exit_code for kind in kinds} == kinds


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (502, b"<html>Bad gateway</html>", "The server answered 502 Bad Gateway"),
        (500, json.dumps({"detail": "x"}).encode(), "The server answered 500"),
        (500, b"[]", "The server answered 500"),
        (200, b"<html>Welcome</html>", "is not Kurama's: b'<html>Welcome</html>'"),
    ],
)
def test_an_answer_that_is_not_kuramas_is_told(
    server: ServerDouble, capsys: pytest.CaptureFixture[str], status: int, body: bytes, says: str
) -> None:
    """A proxy in between, or another program on that port."""
    server.answers[RELEASES] = (status, body)
    assert run(["releases", "-a", "shop"]) == 1
    assert says in capsys.readouterr().err
