"""requirements.txt and what it includes: read for what it is made of, not to install it.

uv installs it. What is found here decides when that has to be done again. Paths are uv's and pip's
way: those of packages from the tree's top, those of other files from the file that names them.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from agent.build import project
from agent.build.plan import Step
from agent.build.source import Source
from agent.build.tree import Tree, refuse

FILE = "requirements.txt"
_OPTION = re.compile(
    r"(?P<flag>-[rcef]|--(?:requirement|constraint|editable|find-links))(?P<gap>[\s=]*)(?P<value>.*)"
)
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(@.*)?")
_COMMENT = re.compile(r"(^|\s)#.*$")
# What follows a path: extras, a fragment, a marker, options.
_AFTER_PATH = re.compile(r"\s*(\[[^\]]*\]\s*)?(#.*|\s;.*|;\s.*|\s--.*)?$")
# PATH_MAX of Linux; to find where a path ends takes the square of its length.
_LONGEST_PATH = 4096
_MOST_FILES = 50
_CONDA = (
    "A path of another machine, as conda writes it into `pip freeze`. Write names and versions: "
    f"pip list --format=freeze > {FILE}"
)


@dataclass(slots=True)
class Requirements:
    """`files`: those that are included, the first one first. `local`: folders and files of the
    tree that are installed from where they stand, as (path, editable). `links`: folders with
    packages. `names`: of packages, normalised; `unnamed` says that there are others. `hashed`:
    whether any line has a hash.
    """

    files: list[str]
    local: list[tuple[str, bool]]
    links: list[str]
    names: set[str]
    unnamed: bool = False
    hashed: bool = False


def source(tree: Tree) -> Source:
    """How requirements.txt is installed; Fault where it names what isn't there."""
    found = read(tree)
    step = Step(
        ("uv", "pip", "install", "--requirement", FILE),
        f"Installing what {FILE} says" + (", checking hashes" if found.hashed else ""),
    )
    inputs = [*found.files, *found.links]
    for path, editable in found.local:
        inputs += project.local_inputs(tree, path, editable=editable)
    notes = []
    if (".", False) in found.local:
        notes.append(f"Each push installs anew, for {FILE} has a copy of the project: `-e .`?")
    return Source(
        FILE,
        [step],
        inputs,
        installs=any(path == "." for path, _ in found.local),
        names=None if found.local or found.unnamed else frozenset(found.names),
        notes=notes,
    )


def read(tree: Tree, name: str = FILE) -> Requirements:
    """What `name` is made of; Fault where it includes what isn't there."""
    found = Requirements([], [], [], set())
    _read_into(found, tree, name, f"{name} is missing", counts=True)
    return found


def _read_into(found: Requirements, tree: Tree, name: str, missing: str, *, counts: bool) -> None:
    """Read one file; what a file of constraints says doesn't count as asked for."""
    if name in found.files:
        return
    if not tree.has(name):
        raise refuse(missing, "Commit that file, or take the line out.")
    if len(found.files) >= _MOST_FILES:
        raise refuse(f"{FILE} includes more than {_MOST_FILES} files", "Write it shorter.")
    found.files.append(name)
    for number, line in _lines(tree.text(name)):
        place = f"{name}, line {number}"
        if option := _OPTION.match(line):
            _read_option(found, tree, name, place, option, counts=counts)
        elif counts and not line.startswith("-"):
            _read_requirement(found, tree, place, line)


def _read_option(
    found: Requirements, tree: Tree, name: str, place: str, option: re.Match[str], *, counts: bool
) -> None:
    flag, value = option["flag"], option["value"].strip()
    if not option["gap"] or not value:
        raise refuse(
            f"{place}: {option[0][:80]!r}", f"Write `{flag} ` and then what, with a space."
        )
    if flag in ("-e", "--editable"):
        found.unnamed = True
        if counts and (path := _path(value.partition(" @ ")[2] or value)):
            found.local.append((project.local(tree, path, place), True))
        return
    value = value.strip("\"'")
    inner = posixpath.normpath(posixpath.join(posixpath.dirname(name), value))
    if flag in ("-f", "--find-links"):
        found.links += [inner] if tree.has_folder(inner) or tree.has(inner) else []
        return
    missing = f"{place}: {value[:200]} is not in the repository"
    if "://" in value:
        raise refuse(missing, "Copy it there.")
    wanted = counts and flag in ("-r", "--requirement")
    _read_into(found, tree, inner, missing, counts=wanted)


def _read_requirement(found: Requirements, tree: Tree, place: str, line: str) -> None:
    found.hashed = found.hashed or "--hash=" in line
    match = _NAME.match(line)
    if match and (match[2] or not _is_path(line)):
        found.names.add(canonicalize_name(match[1]))
        path, hint = _path(match[2].removeprefix("@").strip()) if match[2] else "", _CONDA
    else:
        found.unnamed = True
        path, hint = _path(line), ""
    if path:
        found.local.append((project.local(tree, path, place, hint), False))


def _path(text: str) -> str:
    """The path that a requirement leads to, or "" where it leads to another machine."""
    if len(text) > _LONGEST_PATH:
        raise refuse(f"{FILE}: {text[:80]!r} is no path", f"It has {len(text):,} characters.")
    path = _AFTER_PATH.sub("", text)
    elsewhere = "://" in path and not path.startswith("file:")
    return "" if elsewhere or path.startswith(("git+", "hg+", "svn+", "bzr+")) else path


def _is_path(line: str) -> bool:
    """Whether a line without a name's @ is a path or an address."""
    return (
        line.startswith((".", "/", "$", "file:")) or "/" in re.split(r"[;\s]", line, maxsplit=1)[0]
    )


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, continued ones joined, with their numbers."""
    begun, held = 0, list[str]()
    for number, line in enumerate([*text.splitlines(), ""], 1):
        begun = begun or number
        part = _COMMENT.sub("", line)
        held.append(part.removesuffix("\\"))
        if part.endswith("\\"):
            continue
        if joined := " ".join(held).strip():
            yield begun, joined
        begun, held = 0, []
