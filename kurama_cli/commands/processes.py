"""What runs, and how much of it."""

import click

from kurama_cli import output
from kurama_cli.errors import WrongUsage
from kurama_cli.follow import follow
from kurama_cli.session import app_options, json_option, target


@click.command()
@app_options
@json_option
def ps(app: str | None, remote: str | None, as_json: bool) -> None:
    """Show an app's replicas."""
    chosen = target(app, remote)
    found = chosen.client.get(f"{chosen.path}/processes")
    if as_json:
        output.document(found["replicas"])
        return
    rows = [
        [
            one["name"],
            one["state"],
            one["release"],
            output.ago(one["started_at"]).removesuffix(" ago"),
            "" if one["memory_mb"] is None else f"{one['memory_mb']:.0f} MB",
            "" if one["cpu_percent"] is None else f"{one['cpu_percent']:.0f} %",
            one["worker"],
            one["detail"],
        ]
        for one in found["replicas"]
    ]
    headers = ["replica", "state", "release", "up", "memory", "cpu", "worker", ""]
    output.table(headers, rows, f"{chosen.app} runs nothing.")


@click.command()
@click.argument("quantities", nargs=-1, required=True, metavar="PROCESS=COUNT...")
@app_options
@json_option
def scale(quantities: tuple[str, ...], app: str | None, remote: str | None, as_json: bool) -> None:
    """Run more or fewer replicas: kurama scale web=3 worker=1."""
    wanted = {}
    for pair in quantities:
        process, separator, count = pair.partition("=")
        if not separator or not count.isdecimal():
            raise WrongUsage(f"{pair!r} is no quantity", "Write web=3.")
        wanted[process] = int(count)
    chosen = target(app, remote)
    changed = chosen.client.post(f"{chosen.path}/scale", {"quantities": wanted})
    follow(chosen, changed, as_json=as_json)


@click.command()
@app_options
@json_option
def restart(app: str | None, remote: str | None, as_json: bool) -> None:
    """Replace every replica by a new one of the same release."""
    chosen = target(app, remote)
    follow(chosen, chosen.client.post(f"{chosen.path}/restart"), as_json=as_json)
