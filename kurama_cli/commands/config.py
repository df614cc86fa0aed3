"""An app's variables."""

import click

from kurama_cli import output
from kurama_cli.errors import WrongUsage
from kurama_cli.follow import follow
from kurama_cli.session import app_options, json_option, target


@click.group(invoke_without_command=True)
@app_options
@json_option
@click.pass_context
def config(context: click.Context, app: str | None, remote: str | None, as_json: bool) -> None:
    """Show, set and unset an app's variables.

    A secret's value is never shown. A variable is secret when its name says so (SECRET_KEY,
    API_TOKEN, DATABASE_URL …) or when it was set with --secret.
    """
    if context.invoked_subcommand is not None:
        return
    chosen = target(app, remote)
    found = chosen.client.get(f"{chosen.path}/config")["config"]
    if as_json:
        output.document(found)
        return
    rows = [[one["name"], "(secret)" if one["secret"] else one["value"]] for one in found]
    output.table(["name", "value"], rows, f"{chosen.app} has no variables.")


@config.command("set")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.option("--secret/--plain", default=None, help="Hide the value, or show it, for good.")
@app_options
@json_option
@click.pass_context
def set_variables(
    context: click.Context,
    pairs: tuple[str, ...],
    secret: bool | None,
    app: str | None,
    remote: str | None,
    as_json: bool,
) -> None:
    """Set variables. That makes a release, which goes live as a push's does."""
    given = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise WrongUsage(f"{name!r} has no value", "Write NAME=VALUE.")
        given[name] = {"value": value, "secret": secret}
    chosen = target(*_merged(context, app, remote))
    changed = chosen.client.patch(f"{chosen.path}/config", {"set": given})
    follow(chosen, changed, as_json=as_json)


@config.command("unset")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@app_options
@json_option
@click.pass_context
def unset_variables(
    context: click.Context,
    names: tuple[str, ...],
    app: str | None,
    remote: str | None,
    as_json: bool,
) -> None:
    """Remove variables. That makes a release too."""
    chosen = target(*_merged(context, app, remote))
    changed = chosen.client.patch(f"{chosen.path}/config", {"unset": list(names)})
    follow(chosen, changed, as_json=as_json)


def _merged(
    context: click.Context, app: str | None, remote: str | None
) -> tuple[str | None, str | None]:
    """`-a` and `-r` may stand before or behind the subcommand."""
    outer = context.parent.params if context.parent else {}
    return app or outer.get("app"), remote or outer.get("remote")
