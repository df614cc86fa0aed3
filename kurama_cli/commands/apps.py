"""Making, listing, opening and deleting apps."""

import re
from pathlib import Path

import click

from kurama_cli import git, output
from kurama_cli.errors import CommandFailed
from kurama_cli.session import app_options, client, json_option, target


@click.command()
@click.argument("name", required=False)
@click.option("-r", "--remote", default="kurama", show_default=True, help="The git remote to add.")
@json_option
def create(name: str | None, remote: str, as_json: bool) -> None:
    """Make an app and a git remote for it.

    NAME is the folder's where it isn't given; the app will answer at http://NAME.DOMAIN.
    """
    if name is None:
        name = re.sub(r"[^a-z0-9]+", "-", Path.cwd().name.lower()).strip("-")
    inside = git.is_repository()
    if inside and git.remote_url(remote):
        raise CommandFailed(
            f"This repository has a remote {remote!r} already, at {git.remote_url(remote)}",
            f"Choose another with -r, or remove it: git remote remove {remote}",
        )
    app = client().post("/apps", {"name": name})["app"]
    if inside:
        git.add_remote(remote, app["git_url"])
    if as_json:
        output.document(app)
        return
    click.echo(f"Created {app['name']}, which will be at {app['url']}")
    if inside:
        click.echo(f"git remote {remote} added. To deploy: git push {remote} main")
    else:
        click.echo("This folder is no git repository. To deploy from here:\n")
        click.echo("  git init -b main && git add . && git commit -m 'First version'")
        click.echo(f"  git remote add {remote} {app['git_url']}\n  git push {remote} main")


@click.command()
@json_option
def apps(as_json: bool) -> None:
    """List your apps."""
    found = client().get("/apps")["apps"]
    if as_json:
        output.document(found)
        return
    rows = [
        [app["name"], app["release"] or "not deployed", app["url"], app["owner"]] for app in found
    ]
    output.table(
        ["app", "release", "address", "owner"], rows, "You have no apps. `kurama create` makes one."
    )


@click.command()
@app_options
@click.option("--confirm", metavar="APP", help="The app's name, in place of being asked for it.")
def destroy(app: str | None, remote: str | None, confirm: str | None) -> None:
    """Delete an app with all that it has: code, releases, config and data."""
    chosen = target(app, remote)
    # Asked for first: a name that isn't there needs no confirmation.
    chosen.client.get(chosen.path)
    if confirm is None:
        click.echo(f"This deletes {chosen.app} with its code, releases and data.", err=True)
        confirm = click.prompt("Type the app's name to confirm", err=True)
    if confirm != chosen.app:
        raise CommandFailed(f"{confirm!r} is not {chosen.app!r}: nothing was deleted")
    chosen.client.delete(chosen.path)
    for one in git.kurama_remotes():
        if one.app == chosen.app and one.server == chosen.client.server:
            git.remove_remote(one.name)
    click.echo(f"{chosen.app} is deleted.")


@click.command("open")
@app_options
@click.option("--url", is_flag=True, help="Print the address and open nothing.")
def open_app(app: str | None, remote: str | None, url: bool) -> None:
    """Open an app in the browser."""
    chosen = target(app, remote)
    address = chosen.client.get(chosen.path)["app"]["url"]
    click.echo(address)
    if not url:
        import webbrowser

        webbrowser.open(address)
