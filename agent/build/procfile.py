"""The Procfile: process kinds and their shell commands."""

import re
from dataclasses import dataclass

from agent.build.tree import Tree, refuse

_LINE = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(.*)")
_KIND = re.compile(r"[a-z][a-z0-9-]{0,29}")
_RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Procfile:
    """What a Procfile says; commands are shell text and stay as they are."""

    processes: dict[str, str]
    release_command: str | None


def read(tree: Tree) -> Procfile | None:
    """The tree's Procfile, or None where it has none; Fault where it has a wrong one."""
    if not tree.has("Procfile"):
        near = [name for name in tree.names() if name.lower() in ("procfile", "procfile.txt")]
        if near:
            raise refuse(f"{near[0]} is there, but no Procfile", f"git mv {near[0]} Procfile")
        return None
    found: dict[str, str] = {}
    for number, line in enumerate(tree.text("Procfile").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        kind, command = _parse(number, line.strip())
        if kind in found:
            raise refuse(
                f"Procfile, line {number}: a second {kind!r}", "Each process stands there once."
            )
        found[kind] = command
    release = found.pop(_RELEASE, None)
    return Procfile(found, release)


def _parse(number: int, line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise refuse(
            f"Procfile, line {number}: {line[:80]!r} is no `kind: command`",
            "Write `web: gunicorn app:app`, one process a line.",
        )
    kind, command = match[1], match[2].strip()
    if not _KIND.fullmatch(kind):
        raise refuse(
            f"Procfile, line {number}: {kind!r} can't name a process",
            "A process is named with a-z, 0-9 and -, at most 30 characters.",
        )
    if not command:
        raise refuse(
            f"Procfile, line {number}: {kind} has no command", "Write it behind the colon."
        )
    if "\0" in command:
        raise refuse(f"Procfile, line {number}: a NUL character", "Take it out.")
    return kind, command
