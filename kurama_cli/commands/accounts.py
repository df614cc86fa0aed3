"""Logging in and out, tokens, accounts."""

import secrets
import socket
import sys

import click

from kurama_cli import credentials, git, output
from kurama_cli.api import Client
from kurama_cli.credentials import Login
from kurama_cli.errors import CommandFailed, NotLoggedIn
from kurama_cli.session import client, json_option


@click.command()
@click.argument("server", required=False)
@click.option("--email", metavar="EMAIL", help="Your account; asked for where it is missing.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--token", metavar="TOKEN", help="Log in with a token in place of a password.")
@click.pass_context
def login(
    context: click.Context,
    server: str | None,
    email: str | None,
    password_stdin: bool,
    token: str | None,
) -> None:
    """Log in to a Kurama server.

    SERVER is http://127.0.0.1:5001 where it isn't given. git is told the token too, through its
    own credential store, so that pushes need no password.
    """
    url = (server or context.obj or credentials.DEFAULT_SERVER).rstrip("/")
    if token is None:
        made = _with_password(url, email, password_stdin)
    else:
        made = Login(url, Client(url, token).get("/whoami")["email"], token)
    store = credentials.load()
    store.remember(made)
    git.remember_token(url, made.token, store.git_file)
    click.echo(f"Logged in to {url} as {made.email}.")


def _with_password(url: str, email: str | None, password_stdin: bool) -> Login:
    api = Client(url)
    # Asked first: a wrong address is better told before a password is typed.
    api.get("/info")
    if email is None:
        email = click.prompt("E-mail", err=True)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, err=True)
    name = f"kurama login on {socket.gethostname()}"[:100]
    body = {"email": email, "password": password, "name": name}
    found = api.post("/login", body)
    return Login(url, found["account"]["email"], found["token"])


@click.command()
def logout() -> None:
    """Log out and revoke the token."""
    api = client()
    store = credentials.load()
    try:
        api.post("/logout")
    except NotLoggedIn:
        click.echo("The server did not know the token any more.", err=True)
    store.forget(api.server)
    git.forget_token(api.server, store.git_file)
    click.echo(f"Logged out of {api.server}.")


@click.command()
@json_option
def whoami(as_json: bool) -> None:
    """Show who is logged in, and where."""
    api = client()
    account = api.get("/whoami")
    if as_json:
        output.document({"server": api.server, **account})
    else:
        click.echo(f"{account['email']} on {api.server}")


@click.command()
def password() -> None:
    """Change your password."""
    api = client()
    old = click.prompt("Old password", hide_input=True, err=True)
    new = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    api.put("/password", {"old": old, "new": new})
    click.echo("The password is changed. Tokens go on working; `kurama tokens` lists them.")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def tokens(context: click.Context, as_json: bool) -> None:
    """List your tokens; make one, revoke one."""
    if context.invoked_subcommand is not None:
        return
    found = client().get("/tokens")["tokens"]
    if as_json:
        output.document(found)
        return
    rows = [
        [
            str(one["id"]),
            one["name"],
            output.ago(one["created_at"]),
            output.ago(one["last_used_at"]) or "never",
            (one["expires_at"] or "never")[:10],
        ]
        for one in found
    ]
    output.table(["id", "name", "made", "last used", "expires"], rows, "You have no tokens.")


@tokens.command("create")
@click.argument("name")
@click.option("--expires", metavar="TIME", help="How long it works: 90d, 12h.")
@json_option
def create_token(name: str, expires: str | None, as_json: bool) -> None:
    """Make a token for a machine that pushes or sends records; it is shown once."""
    made = client().post("/tokens", {"name": name, "expires": expires})
    if as_json:
        output.document({"token": made["token"], "expires_at": made["expires_at"]})
        return
    # Alone on stdout, so that it can go where it is needed without being seen.
    click.echo(
        f"The token {name}, shown this once; it works until {made['expires_at'][:10]}:", err=True
    )
    click.echo(made["token"])


@tokens.command("revoke")
@click.argument("token_id", type=int)
def revoke(token_id: int) -> None:
    """End a token at once, wherever it is used."""
    client().delete(f"/tokens/{token_id}")
    click.echo(f"Token {token_id} is revoked.")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def users(context: click.Context, as_json: bool) -> None:
    """List accounts; add one (admins)."""
    if context.invoked_subcommand is not None:
        return
    found = client().get("/accounts")["accounts"]
    if as_json:
        output.document(found)
        return
    rows = [
        [one["email"], "admin" if one["is_admin"] else "", output.ago(one["created_at"])]
        for one in found
    ]
    output.table(["e-mail", "", "made"], rows, "There are no accounts.")


@users.command("add")
@click.argument("email")
@click.option("--admin", is_flag=True, help="Let it see every app and make accounts.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def add_user(email: str, admin: bool, password_stdin: bool) -> None:
    """Make an account; without --password-stdin its password is made too, and shown once."""
    if password_stdin:
        chosen = sys.stdin.readline().rstrip("\r\n")
        if not chosen:
            raise CommandFailed("Standard input has no password", "Write it there, in one line.")
    else:
        chosen = secrets.token_urlsafe(12)
    client().post("/accounts", {"email": email, "password": chosen, "is_admin": admin})
    click.echo(f"{email} can log in now.")
    if not password_stdin:
        click.echo(f"Password, shown this once: {chosen}")
