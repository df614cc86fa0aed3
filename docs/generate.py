"""Writes the reference pages that the code itself says best: commands, settings, the HTTP API.

Run by `make docs`; a test fails when the pages are not what this would write.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from kurama_cli.main import COMMANDS, cli
from server.api.application import application
from server.operate.__main__ import main as operator
from server.settings import paths

DOCS = Path(__file__).parent
ROOT = DOCS.parent
_MADE = "<!-- Made by `make docs` from the code. -->\n"
_EXITS = """
| exit status | means |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong usage |
| 3 | not logged in |
| 4 | not found, or not yours |
| 5 | the server can't be reached |

An error is one block on stderr: what happened, to what, what to do. `--json` prints one JSON
document on stdout; without it, tables on a terminal and plain columns in a pipe.
"""


def commands() -> str:
    """docs/reference/commands.md."""
    parts = [_MADE, "# Commands\n", _paragraphs(cli.help), _EXITS]
    context = click.Context(cli, info_name="kurama")
    for name in COMMANDS:
        command = operator.commands.get(name) or cli.get_command(context, name)
        assert command is not None  # noqa: S101 - the table's own names
        parts += _command(command, f"kurama {name}", context)
    return "\n".join(parts).rstrip() + "\n"


def _command(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name.split()[-1], parent=parent)
    words = " ".join(command.collect_usage_pieces(context))
    yield f"\n## {name}\n" if name.count(" ") == 1 else f"\n### {name}\n"
    yield f"```\n{name} {words}\n```\n"
    yield _paragraphs(command.help)
    records = [
        record
        for parameter in command.params
        if (record := parameter.get_help_record(context)) is not None and record[1]
    ]
    if records:
        yield "\n| option | |\n|---|---|"
        for option, text in records:
            yield f"| `{option}` | {text.replace('|', ', ')} |"
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            inner = command.get_command(context, sub)
            if inner is not None:
                yield from _command(inner, f"{name} {sub}", context)


def _paragraphs(text: str | None) -> str:
    """A help text as Markdown."""
    blocks = inspect.cleandoc(text or "").split("\n\n")
    return "\n\n".join(" ".join(block.split()) for block in blocks)


def settings() -> str:
    """docs/reference/settings.md, from kuramaconfig.yaml and its comments."""
    text = (ROOT / "kuramaconfig.yaml").read_text()
    comments = _comments(text)
    known = paths()
    written: dict[str, Any] = yaml.safe_load(text)
    rows = []
    for path in known:
        section, _, key = path.partition(".")
        value = written[section][key] if key else written[section]
        rows.append(f"| `{path}` | `{value if value != '' else '(empty)'}` | {comments[path]} |")
    intro = (
        "`kuramaconfig.yaml` in the repository holds each setting with its default; a file of "
        "yours need only hold what differs.\nKurama reads the file that `KURAMA_CONFIG` names, "
        "else `./kuramaconfig.yaml`. Unknown settings and wrong values are refused, with their "
        "path.\n\n"
        "Durations: `30s`, `5m`, `2h`, `7d`. Sizes: `512MB` (powers of 1000), `512MiB` (of 1024). "
        "URLs with a secret\nin them can stand elsewhere: `env:NAME`, `file:/path`.\n"
    )
    table = "| setting | default | |\n|---|---|---|\n" + "\n".join(rows)
    return f"{_MADE}\n# Settings\n\n{intro}\n{table}\n"


def _comments(text: str) -> dict[str, str]:
    """What the file says of each setting: behind it, else above its section."""
    found: dict[str, str] = {}
    section, above = "", ""
    for line in text.splitlines():
        if line.startswith("#"):
            above = f"{above} {line.lstrip('# ')}".strip()
        elif not line.strip():
            above = ""
        elif match := re.match(r"(\w+):\s*(\S.*)?$", line):
            section = match[1]
            heading, above = above, ""
            if match[2]:
                found[section] = heading
        elif match := re.match(r"  (\w+):[^#]*(?:#\s*(.*))?$", line):
            found[f"{section}.{match[1]}"] = match[2] or heading
    return found


def api() -> str:
    """docs/reference/api.md, from the OpenAPI document."""
    app = application(lifespan=None)
    document = app.openapi()
    lines = [_MADE, "# HTTP API\n", _API_INTRO]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            first = operation.get("description", "").partition("\n\n")[0].replace("\n", " ")
            lines.append(f"| `{method.upper()} {path}` | {first} |")
    lines.append(_GIT)
    return "\n".join(lines).rstrip() + "\n"


_API_INTRO = """JSON under `/api/v1`, described by the OpenAPI document at `/api/openapi.json`. Send
`Authorization: Bearer TOKEN`. An error is `{"error": {"code", "message", "hint"}}` with a fitting
status. What changes what runs is answered with 202 and a deploy, whose output can be followed.

| | |
|---|---|"""

_GIT = """
## git

Smart HTTP at `/git/APP.git`: clone, fetch and push, with a token as the Basic password (any user
name). A push's deploy prints as it goes; where it fails, git reports `ng` for the branch and exits
with 1.
"""

PAGES = {"commands.md": commands, "settings.md": settings, "api.md": api}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (DOCS / "reference" / name).write_text(page())


if __name__ == "__main__":
    main()
