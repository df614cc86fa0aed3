"""An app's records."""

import json
from typing import Any

import click

from kurama_cli import output
from kurama_cli.session import Target, app_options, target

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_COLOURS = {"DEBUG": "bright_black", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
_MISSED = "… {} records were left out: this terminal was too slow for them"


@click.command()
@app_options
@click.option("-n", "--num", type=click.IntRange(0, 10_000), help="How many of the newest [100].")
@click.option("--since", metavar="TIME", help="From then on: 5m, 2h, 3d, or 2026-01-31T12:00:00Z.")
@click.option("--until", metavar="TIME", help="Before then.")
@click.option(
    "--level", type=click.Choice(_LEVELS, case_sensitive=False), help="This level and above."
)
@click.option("--grep", metavar="TEXT", help="With this text in the message, in any case.")
@click.option("--process", metavar="NAME", help="Of one process (web) or one replica (web.1).")
@click.option("-t", "--tail", is_flag=True, help="Go on with new records as they come.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document; with --tail, JSON lines.")
def logs(
    app: str | None,
    remote: str | None,
    num: int | None,
    since: str | None,
    until: str | None,
    level: str | None,
    grep: str | None,
    process: str | None,
    tail: bool,
    as_json: bool,
) -> None:
    """Show an app's records, stored and live."""
    chosen = target(app, remote)
    query: dict[str, str | int | None] = {
        "count": num if num is not None else (10 if tail else 100),
        "since": since,
        "until": until,
        "level": level.upper() if level else None,
        "grep": grep,
        "process": process,
    }
    if tail:
        _tail(chosen, query, as_json)
        return
    found = chosen.client.get(f"{chosen.path}/logs", **query)["records"]
    if as_json:
        output.document(found)
        return
    for record in found:
        _show(record)
    if not found:
        click.echo(f"{chosen.app} has no such records.", err=True)


def _tail(chosen: Target, query: dict[str, str | int | None], as_json: bool) -> None:
    for event in chosen.client.stream(f"{chosen.path}/logs/stream", **query):
        if "missed" in event:
            click.echo(_MISSED.format(event["missed"]), err=True)
        elif as_json:
            click.echo(json.dumps(event["record"], ensure_ascii=False))
        else:
            _show(event["record"])


def _show(record: dict[str, Any]) -> None:
    """One record for people: time, replica, level and message; more lines are indented."""
    level = record["level"]
    first, *others = output.clean(record["message"]).split("\n")
    # A source outside of the platform names its replica itself.
    head = f"{record['timestamp'][:23]}Z {output.clean(record['replica']):<8} "
    click.echo(head + click.style(f"{level:<8}", fg=_COLOURS.get(level)) + f" {first}")
    for line in others:
        click.echo(f"    {line}")
