"""The operator's commands as a program: `kurama up|down|status|doctor` hand over to it.

An edge: errors become one block on stderr and an exit code.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tabulate import tabulate

from server import duration
from server import settings as configuration
from server.errors import KuramaError
from server.operate import doctor as doctoring
from server.operate import down as stopping
from server.operate.status import PartStatus, is_healthy
from server.operate.status import status as look
from server.operate.up import Started, Starter
from server.settings import Settings

_STATE_COLOURS = {"ok": "green", "external": "green", "degraded": "yellow", "warning": "yellow"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run the Kurama platform on this machine."""


@main.command()
def up() -> None:
    """Start the platform in the background; return when all of it is healthy.

    What was deployed comes back by itself. The configuration is the file that KURAMA_CONFIG names,
    else ./kuramaconfig.yaml, else the defaults.
    """
    settings = configuration.load()
    started = Starter(settings, configuration.source(), _progress).start()
    _print_started(settings, started)


@main.command()
def down() -> None:
    """Stop the platform, apps included; the next `kurama up` brings everything back."""
    settings = configuration.load()
    if stopping.stop(settings, _progress):
        click.echo("Kurama is down.")
    else:
        click.echo(f"Kurama was not up in {settings.home}.")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status(as_json: bool) -> None:
    """Show each part: health, time up, memory. Exit 1 unless all is well."""
    settings = configuration.load()
    parts = look(settings)
    healthy = is_healthy(parts)
    if as_json:
        document = {"healthy": healthy, "parts": [asdict(part) for part in parts]}
        click.echo(json.dumps(document, indent=2))
    elif parts:
        _print_parts(parts)
    else:
        click.echo(f"Kurama is not up in {settings.home}. Start it with `kurama up`.", err=True)
    sys.exit(0 if healthy else 1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(as_json: bool) -> None:
    """Look at what Kurama needs of this machine. Exit 1 when something stands in the way."""
    findings = list(doctoring.examine(configuration.load()))
    well = all(finding.state != "problem" for finding in findings)
    if as_json:
        document = {"well": well, "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(document, indent=2))
    else:
        rows = [[f.subject, f.state, f.found, f.hint] for f in findings]
        _print_table(["what", "state", "found", "what to do"], rows, 1)
    sys.exit(0 if well else 1)


def _print_started(settings: Settings, started: Started) -> None:
    click.echo(f"\nKurama is up ({duration.short(started.took_s)}).\n")
    rows = [
        ["interface", settings.interface_url],
        ["apps", settings.app_url("APP")],
        ["records go to", f"{settings.ingest.host}:{settings.ingest.port}"],
        ["state", str(settings.home)],
    ]
    click.echo(tabulate(rows, tablefmt="plain"))
    for warning in started.warnings:
        click.secho(f"\nWarning: {warning}", fg="yellow", err=True)
    if started.password:
        click.echo("\nThe first account was made. Its password is shown this once:\n")
        click.echo(f"  e-mail    {started.email}\n  password  {started.password}")
    click.echo("\nWhat to do next, in the folder of a Flask app:\n")
    click.echo("  kurama login\n  kurama create\n  git push kurama main\n")


def _print_parts(parts: list[PartStatus]) -> None:
    rows = [
        [
            part.name,
            part.state,
            duration.short(part.up_s) if part.up_s is not None else "",
            f"{part.memory / 1e6:.0f} MB" if part.memory is not None else "",
            str(part.port or ""),
            part.detail,
        ]
        for part in parts
    ]
    total = sum(part.memory or 0 for part in parts)
    rows.append(["total", "", "", f"{total / 1e6:.0f} MB", "", ""])
    _print_table(["part", "state", "up", "memory", "port", ""], rows, 1)


def _print_table(headers: list[str], rows: list[list[str]], state_column: int) -> None:
    """A rich table on a terminal, plain columns in a pipe."""
    if not sys.stdout.isatty():
        click.echo(tabulate(rows, headers=headers, tablefmt="plain"))
        return
    table = Table(box=None, header_style="bold")
    for header in headers:
        table.add_column(header)
    for row in rows:
        state = row[state_column]
        colour = _STATE_COLOURS.get(state, "red" if state else "default")
        shown = [escape(cell) for cell in row]
        shown[state_column] = f"[{colour}]{state}[/]"
        table.add_row(*shown)
    Console().print(table)


def _progress(text: str) -> None:
    click.echo(f"  {text}", err=True)


def guarded(command: Callable[[], None]) -> None:
    """Run `command`; turn a KuramaError into a block on stderr and its exit code."""
    try:
        command()
    except KuramaError as error:
        if configuration.is_debugging():
            raise
        click.echo(f"Error: {error.message}", err=True)
        if error.hint:
            click.echo(error.hint, err=True)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    guarded(lambda: main(prog_name="kurama"))
