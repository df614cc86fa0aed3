"""Releases: listing them, going back, deploying a new one."""

import click

from kurama_cli import git, output
from kurama_cli.errors import CommandFailed, WrongUsage
from kurama_cli.follow import follow
from kurama_cli.session import app_options, json_option, target


@click.command()
@app_options
@click.option(
    "-n", "--num", default=15, type=click.IntRange(1, 1000), help="How many of the newest [15]."
)
@json_option
def releases(app: str | None, remote: str | None, num: int, as_json: bool) -> None:
    """List an app's releases, the newest first."""
    chosen = target(app, remote)
    found = chosen.client.get(f"{chosen.path}/releases", count=num)["releases"]
    if as_json:
        output.document(found)
        return
    rows = [
        [
            one["version"],
            "" if one["state"] == "superseded" else one["state"],
            one["description"],
            one["created_by"],
            output.ago(one["created_at"]),
        ]
        for one in found
    ]
    headers = ["release", "state", "what", "by", "when"]
    output.table(headers, rows, f"{chosen.app} has no releases.")


@click.command()
@click.argument("version", required=False)
@app_options
@json_option
def rollback(version: str | None, app: str | None, remote: str | None, as_json: bool) -> None:
    """Go back to an earlier release: the one before, or VERSION (v12).

    The old image and config become a new release.
    """
    number = None
    if version is not None:
        digits = version.removeprefix("v")
        if not digits.isdecimal():
            raise WrongUsage(f"{version!r} is no release", "Write v12, as `kurama releases` does.")
        number = int(digits)
    chosen = target(app, remote)
    changed = chosen.client.post(f"{chosen.path}/rollback", {"version": number})
    follow(chosen, changed, as_json=as_json)


@click.command()
@click.option("-r", "--remote", metavar="REMOTE", help="The git remote to push to.")
@click.pass_context
def deploy(context: click.Context, remote: str | None) -> int:
    """Push the current commit and follow its deploy.

    The same as `git push kurama HEAD:main`, whatever branch you are on.
    """
    chosen = target(None, remote)
    names = [one.name for one in git.kurama_remotes() if remote in (None, one.name)]
    if not git.has_commits():
        raise CommandFailed(
            "There is no commit to deploy", "git add . && git commit -m 'First version'"
        )
    changed = git.uncommitted()
    if changed:
        what = "1 uncommitted file is" if changed == 1 else f"{changed} uncommitted files are"
        click.echo(f"{what} not part of this deploy.", err=True)
    click.echo(f"Pushing HEAD to {chosen.app}", err=True)
    return git.push(names[0], "HEAD", "refs/heads/main")
