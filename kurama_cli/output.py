"""How things are shown: rich tables on a terminal, plain columns in a pipe, JSON when asked."""

import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

# What would move a terminal's cursor or change its colours: apps print what they like.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def document(value: Any) -> None:
    """Print `value` as the one JSON document of a command."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Print rows under headers, or `empty`, on stderr, where there are none."""
    if not rows:
        click.echo(empty, err=True)
        return
    cleaned = [[clean(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        shown = Table(box=None, header_style="bold", pad_edge=False)
        for header in headers:
            shown.add_column(header, overflow="fold")
        for row in cleaned:
            shown.add_row(*(escape(cell) for cell in row))
        Console().print(shown)
    else:
        from tabulate import tabulate

        click.echo(
            tabulate(cleaned, headers=list(headers), tablefmt="plain", disable_numparse=True)
        )


def clean(text: str) -> str:
    """`text` without what a terminal would obey."""
    return _CONTROL.sub("", text)


def ago(text: str | None, now: datetime | None = None) -> str:
    """How long before `now`, which is now where it isn't given, an RFC 3339 time was, in words."""
    if not text:
        return ""
    seconds = max(0.0, ((now or datetime.now(UTC)) - datetime.fromisoformat(text)).total_seconds())
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name} ago"
    return f"{seconds / 86400:.0f} days ago"
