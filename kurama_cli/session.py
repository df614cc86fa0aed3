"""Which server and which app a command is about, and who asks."""

import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from kurama_cli import credentials, git
from kurama_cli.api import Client
from kurama_cli.credentials import DEFAULT_SERVER
from kurama_cli.errors import NotLoggedIn, WrongUsage

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Target:
    """An app, and the client of the server that it is on."""

    client: Client
    app: str

    @property
    def path(self) -> str:
        """The app's place in the API."""
        return f"/apps/{urllib.parse.quote(self.app, safe='')}"


def client(server: str | None = None) -> Client:
    """A client of `server`, of KURAMA_SERVER, or of the server that was logged in to last."""
    known = credentials.load()
    url = (server or click.get_current_context().obj or "").rstrip("/")
    if not url:
        logins = known.all()
        url = logins[0].server if logins else DEFAULT_SERVER
    login = known.on(url)
    if login is None:
        raise NotLoggedIn(f"You are not logged in to {url}", f"kurama login {url}")
    return Client(url, login.token)


def target(app: str | None, remote: str | None) -> Target:
    """The app that `-a`, `-r` or this folder's only kurama remote names; WrongUsage otherwise."""
    if app:
        return Target(client(), app)
    remotes = git.kurama_remotes()
    if remote:
        remotes = [one for one in remotes if one.name == remote]
        if not remotes:
            raise WrongUsage(f"This folder has no kurama remote {remote!r}", "git remote -v")
    if not remotes:
        raise WrongUsage(
            "Which app? This folder has no kurama remote",
            "Name it with -a APP, or make one here with `kurama create`.",
        )
    if len(remotes) > 1:
        listed = "\n".join(f"  {one.name:<12} {one.app} on {one.server}" for one in remotes)
        raise WrongUsage(
            f"Which app? This folder has several kurama remotes:\n{listed}",
            "Choose with -r REMOTE or -a APP.",
        )
    return Target(client(remotes[0].server), remotes[0].app)


def complete_app(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The names of the apps that begin with `begun`, for the shell."""
    from kurama_cli.errors import CommandFailed

    try:
        with context:
            names = [app["name"] for app in client().get("/apps")["apps"]]
    except CommandFailed:
        return []
    return [name for name in names if name.startswith(begun)]


def app_options(command: F) -> F:
    """Give a command `-a APP` and `-r REMOTE`."""
    command = click.option(
        "-r", "--remote", metavar="REMOTE", help="The git remote whose app is meant."
    )(command)
    return click.option("-a", "--app", metavar="APP", help="The app.", shell_complete=complete_app)(
        command
    )


def json_option(command: F) -> F:
    """Give a reading command `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)
