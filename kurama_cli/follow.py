"""Following a deploy that a command has begun."""

from typing import Any

import click

from kurama_cli import output
from kurama_cli.errors import CommandFailed
from kurama_cli.session import Target


def follow(target: Target, changed: Any, *, as_json: bool = False) -> None:
    """Print what the deploy in `changed` says until it has ended; CommandFailed if it failed."""
    deploy = changed["deploy"]
    if deploy is None:
        if as_json:
            output.document(None)
        else:
            click.echo("Done. It takes effect with the first deploy.")
        return
    ended = None
    try:
        for event in target.client.stream(f"{target.path}/deploys/{deploy['id']}/output"):
            if "line" in event and not as_json:
                click.echo(output.clean(event["line"]))
            ended = event.get("end", ended)
    except KeyboardInterrupt:
        click.echo("\nThe deploy goes on; `kurama releases` shows how it ends.", err=True)
        raise
    if as_json:
        output.document(ended)
    _check(target, ended, said=not as_json)


def _check(target: Target, ended: Any, *, said: bool) -> None:
    if ended is None or ended["state"] not in ("succeeded", "failed"):
        raise CommandFailed(
            "The connection was cut before the deploy had ended",
            f"`kurama releases -a {target.app}` shows how it ends.",
        )
    if ended["state"] == "failed":
        error = ended["error"] or {"message": "The deploy failed", "hint": ""}
        # Its output has shown the details already.
        message = error["message"].splitlines()[0] if said else error["message"]
        raise CommandFailed(message, "" if said else error["hint"])
