"""Pipfile.lock, as the requirement lines that uv can install. Pipenv is not needed for that.

https://pipenv.pypa.io/en/latest/pipfile.html
"""

import hashlib
import json
from typing import Any
from urllib.parse import quote

from packaging.utils import canonicalize_name

from agent.build import formats, project
from agent.build.formats import PipfileEntry, PipfileLock
from agent.build.plan import TREE
from agent.build.source import GENERATED, Source, index_lines, install_generated
from agent.build.tree import Tree, refuse

FILE = "Pipfile.lock"
# What Pipfile's own tables are; any other is one more category of packages.
_KNOWN = ("source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv")


def source(tree: Tree) -> Source:
    """How the packages that Pipfile.lock has under `default` are installed."""
    lock = formats.read(PipfileLock, tree.json(FILE), FILE)
    # What pipenv calls pypi is where everybody's packages are: the worker knows where it has those.
    indexes = index_lines(one.url for one in lock.meta.sources if one.name != "pypi")
    lines = list(indexes)
    inputs = [FILE]
    for name, entry in sorted(lock.default.items()):
        path = entry.path or entry.file
        if path and "://" not in path:
            path = project.local(tree, path, f"{FILE}, {name}")
            inputs += project.local_inputs(tree, path, editable=entry.editable)
        lines.append(_line(name, entry, path))
    notes = []
    if _is_stale(tree, lock):
        notes.append(f"{FILE} was made of another Pipfile: run `pipenv lock`, and commit it.")
    return Source(
        FILE,
        [install_generated(FILE, indexes)],
        inputs,
        {GENERATED: "".join(f"{line}\n" for line in lines)},
        names=frozenset(canonicalize_name(name) for name in lock.default),
        notes=notes,
    )


def _line(name: str, entry: PipfileEntry, path: str | None) -> str:
    """One package; `path` leads into the tree, or is a URL."""
    if entry.hg or entry.svn or entry.bzr:
        raise refuse(
            f"{FILE}: {name} comes from a repository that isn't git's", "Use git, or pin it."
        )
    extras = f"[{','.join(entry.extras)}]" if entry.extras else ""
    marker = f" ; {entry.markers}" if entry.markers else ""
    if path and "://" in path:
        line = f"{name}{extras} @ {path}{marker}"
    elif path:
        # What is editable has no name of its own in this notation.
        start = "-e " if entry.editable else f"{name}{extras} @ "
        line = f"{start}file://{TREE}/{quote(path)}{marker}"
    elif entry.git:
        reference = f"@{entry.ref}" if entry.ref else ""
        folder = f"#subdirectory={entry.subdirectory}" if entry.subdirectory else ""
        line = f"{name}{extras} @ git+{entry.git}{reference}{folder}{marker}"
    else:
        hashes = "".join(f" --hash={value}" for value in entry.hashes)
        line = f"{name}{extras}{entry.version}{marker}{hashes}"
    return formats.one_line(line, FILE)


def _is_stale(tree: Tree, lock: PipfileLock) -> bool:
    """Whether the lock was made of another Pipfile; source: plette's Pipfile.get_hash."""
    known = lock.meta.hash.sha256
    if known is None or not tree.has("Pipfile"):
        return False
    pipfile = tree.toml("Pipfile")
    content: dict[str, Any] = {
        "_meta": {"sources": pipfile.get("source", []), "requires": pipfile.get("requires", {})},
        "default": pipfile.get("packages", {}),
        "develop": pipfile.get("dev-packages", {}),
        **{name: section for name, section in pipfile.items() if name not in _KNOWN},
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return known != hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
