"""A Python project in a folder of the tree: what its installation reads, and what it needs."""

import configparser
import posixpath
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from agent.build import formats
from agent.build.constraints import InvalidConstraint, standard
from agent.build.formats import Manifest
from agent.build.plan import APP_DIR, Step
from agent.build.source import EDITABLE_SELF, GENERATED, Source, install_generated
from agent.build.tree import Tree, refuse

FILES = ("pyproject.toml", "setup.py", "setup.cfg")
# Whatever a project's name for them: lists of requirements, and what becomes machine code.
_LISTS = (".txt", ".in")
_COMPILED = tuple(".c .cc .cpp .cxx .f90 .pyx .rs".split())
_FROM_FILE = re.compile(r"(?m)^[ \t]*(\w+)[ \t]*=[ \t]*file:(.*)$")
_NOTE = "Without a lockfile, versions are chosen when they are installed: commit uv.lock."


def of_manifest(tree: Tree, manifest: Manifest) -> Source:
    """What pyproject.toml says, with no lockfile; Fault where only Poetry could read it."""
    note = _NOTE
    if tree.has("pdm.lock"):
        note = "Kurama doesn't read pdm.lock: pdm export -o requirements.txt, and commit that."
    poetry = manifest.tool.poetry
    if is_package(manifest):
        argv = EDITABLE_SELF
    elif manifest.project is None and poetry and poetry.dependencies:
        raise refuse(
            "pyproject.toml lists Poetry's dependencies, but there is no poetry.lock",
            "Run `poetry lock`, and commit poetry.lock.",
        )
    else:
        argv = ("uv", "pip", "install", "--requirement", "pyproject.toml")
    step = Step(argv, "Installing what pyproject.toml says")
    installs = is_package(manifest)
    files = own_inputs(tree, installs=installs)
    return Source("pyproject.toml", [step], files, installs=installs, notes=[note])


def of_setup_py(tree: Tree) -> Source:
    """What setup.py says, which only running it can tell."""
    step = Step(EDITABLE_SELF, "Installing what setup.py says")
    return Source("setup.py", [step], inputs(tree), installs=True)


def of_setup_cfg(tree: Tree, manifest: Manifest | None) -> Source:
    """What setup.cfg lists; the project itself is installed where pyproject.toml says what builds
    it, and else stays as it is, for no tool could.
    """
    if manifest is not None and is_package(manifest):
        step = Step(EDITABLE_SELF, "Installing what setup.cfg says")
        return Source("setup.cfg", [step], inputs(tree), installs=True, notes=[_NOTE])
    lines = _install_requires(tree)
    names = frozenset(canonicalize_name(requirement(line, "setup.cfg").name) for line in lines)
    text = "".join(f"{line}\n" for line in lines)
    steps = [install_generated("setup.cfg", settled=False)]
    return Source("setup.cfg", steps, [], {GENERATED: text}, names=names, notes=[_NOTE])


def is_described(tree: Tree) -> bool:
    """Whether setup.cfg lists dependencies: many only set up tools."""
    return bool(_install_requires(tree))


def _install_requires(tree: Tree) -> list[str]:
    """[options] install_requires of setup.cfg, a line each, or those of the files it names."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(tree.text("setup.cfg"))
        said = parser.get("options", "install_requires", fallback="")
    except configparser.Error as error:
        raise refuse(f"setup.cfg: {error.message}", "Mend that line.") from None
    if said.startswith("file:"):
        names = [local(tree, file.strip(), "setup.cfg") for file in said[5:].split(",")]
        said = "\n".join(tree.text(name) for name in names)
    lines = (line.partition("#")[0].strip() for line in said.splitlines())
    return [line for line in lines if line]


def is_package(manifest: Manifest) -> bool:
    """Whether the project is one that can be installed, rather than a folder of modules."""
    poetry = manifest.tool.poetry
    if manifest.tool.uv.package is not None:
        return manifest.tool.uv.package
    return manifest.build_system is not None and not (poetry and not poetry.package_mode)


def own_inputs(tree: Tree, *, installs: bool) -> list[str]:
    """What of the project itself decides: of one that isn't installed only what it says."""
    return inputs(tree) if installs else [name for name in FILES if tree.has(name)]


def inputs(tree: Tree, folder: str = "") -> list[str]:
    """What decides how the project in `folder` is installed while its code stays in place.

    That is what its back end reads. Where something has to be compiled it is all of the project:
    what the compiler writes stands beside the code.
    """
    if any(name.endswith(_COMPILED) for name in tree.files(folder or ".")):
        return [folder or "."]
    prefix = f"{folder}/" if folder else ""
    names = [*FILES, "MANIFEST.in", *_lists(tree, folder), *_named(tree, folder)]
    return [prefix + name for name in dict.fromkeys(names) if tree.has(prefix + name)]


def local(tree: Tree, path: str, place: str, hint: str = "") -> str:
    """The name in the tree of what `path`, found at `place`, leads to; Fault if it isn't in it."""
    clean = path.replace("${PROJECT_ROOT}", APP_DIR)
    if clean.startswith("file:"):
        clean = unquote(clean.removeprefix("file:").removeprefix("//"))
    name = posixpath.normpath(posixpath.relpath(clean, APP_DIR) if clean[:1] == "/" else clean)
    if name.startswith(("..", "/")) or not (tree.has(name) or tree.has_folder(name)):
        raise refuse(
            f"{place}: {path[:200]} is not in the repository",
            hint or "A path is relative to the repository's top, and leads to what is committed.",
        )
    return name


def local_inputs(tree: Tree, name: str, *, editable: bool) -> list[str]:
    """What decides how a file or folder of the tree is installed; of a copy that is all of it."""
    if editable and tree.has_folder(name):
        return inputs(tree, "" if name == "." else name)
    return [name]


def requirement(line: str, file: str) -> Requirement:
    """A dependency in the standard's notation; Fault where it isn't one."""
    try:
        found = Requirement(line)
        standard(str(found.specifier))
    except InvalidConstraint:
        raise refuse(f"{file}: {line[:80]!r} names no version", "Mend that dependency.") from None
    except (InvalidRequirement, RecursionError) as error:
        raise refuse(f"{file}: {error}", "Mend that dependency.") from None
    return found


def _lists(tree: Tree, folder: str) -> Iterator[str]:
    """Lists of requirements, which a setup.py likes to read."""
    for name in tree.names(folder):
        if name.endswith(_LISTS):
            yield name
        elif name.startswith("requirements") or name == "reqs":
            inner = tree.names(f"{folder}/{name}" if folder else name)
            yield from (f"{name}/{file}" for file in inner if file.endswith(_LISTS))


def _named(tree: Tree, folder: str) -> Iterator[str]:
    """The files that a project's metadata is read from, setuptools' way; not its description."""
    manifest = formats.manifest(tree, folder)
    dynamic = manifest.tool.setuptools.dynamic if manifest else {}
    yield from _files({key: value for key, value in dynamic.items() if key != "readme"})
    cfg = f"{folder}/setup.cfg" if folder else "setup.cfg"
    if tree.has(cfg):
        for key, said in _FROM_FILE.findall(tree.text(cfg)):
            if key != "long_description":
                yield from (file.strip() for file in said.split(","))


def _files(table: Mapping[str, object]) -> Iterator[str]:
    """Every `file = "…"` and `file = ["…"]` in a table and those within it."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _files(value)
        elif key == "file":
            values = value if isinstance(value, list) else [value]
            yield from (one for one in values if isinstance(one, str))
