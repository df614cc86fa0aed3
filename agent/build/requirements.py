"""requirements.txt and what it includes: read for what it is made of, not to install it.

uv installs it. What is found here decides when that has to be done again.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.build.tree import Tree, refuse

_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:[\s=]+|(?=\S))(.+)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:[\s=]+|(?=\S))(.+)")
_EXTRAS = re.compile(r"\[[^\]]*\]$")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MOST_FILES = 50


@dataclass(slots=True)
class Requirements:
    """`files`: those that are included, the first one first. `local`: folders and files of the
    tree that are installed from where they stand, as (path, editable). `names`: of packages, in
    lower case. `hashed`: whether any line has a hash.
    """

    files: list[str]
    local: list[tuple[str, bool]]
    names: set[str]
    hashed: bool = False


def read(tree: Tree, name: str = "requirements.txt") -> Requirements:
    """What `name` is made of; Fault where it includes what isn't there."""
    found = Requirements([], [], set())
    _read_into(found, tree, name, f"{name} is missing")
    return found


def _read_into(found: Requirements, tree: Tree, name: str, missing: str) -> None:
    if name in found.files:
        return
    if not tree.has(name) or len(found.files) >= _MOST_FILES:
        raise refuse(missing, "Commit that file, or take the line out.")
    found.files.append(name)
    folder = posixpath.dirname(name)
    for number, line in _lines(tree.text(name)):
        place = f"{name}, line {number}"
        if include := _INCLUDE.match(line):
            target = include[1].strip().strip("\"'")
            if "://" in target:
                raise refuse(f"{place}: {target} is not in the repository", "Copy it there.")
            inner = posixpath.normpath(posixpath.join(folder, target))
            _read_into(found, tree, inner, f"{place}: {target} is not in the repository")
        elif editable := _EDITABLE.match(line):
            _add_local(found, tree, folder, editable[1], place, editable=True)
        elif _is_path(line):
            _add_local(found, tree, folder, line, place, editable=False)
        elif match := _NAME.match(line):
            found.names.add(match[0].lower().replace("_", "-"))
            found.hashed = found.hashed or "--hash=" in line


def _add_local(
    found: Requirements, tree: Tree, folder: str, text: str, place: str, *, editable: bool
) -> None:
    path = text.partition(";")[0].strip().strip("\"'").removeprefix("file://")
    path = _EXTRAS.sub("", path.partition("#")[0]).strip()
    if "://" in path or path.startswith("git+"):
        # From a repository elsewhere: uv's affair, with git on the worker.
        return
    inner = posixpath.normpath(posixpath.join(folder, path.removeprefix("/app/")))
    if inner.startswith(("..", "/")) or not (tree.has(inner) or tree.has_folder(inner)):
        raise refuse(
            f"{place}: {path} is not in the repository",
            "A path is relative to the file that names it, and must lead to what is committed.",
        )
    found.local.append((inner, editable))


def _is_path(line: str) -> bool:
    return line.startswith((".", "/", "file:")) or (
        "/" in line.split(";")[0].split("@")[0] and "://" not in line
    )


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, continued ones joined, with their numbers."""
    begun, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun or number
        held += re.sub(r"(^|\s)#.*$", "", line)
        if held.endswith("\\"):
            held = held[:-1] + " "
            continue
        if held.strip():
            yield begun, held.strip()
        begun, held = 0, ""
    if held.strip():
        yield begun, held.strip()
