"""uv.lock: all of an application's dependencies, installed by `uv sync` as they stand there."""

from collections.abc import Iterable, Iterator, Set

from packaging.utils import canonicalize_name

from agent.build import formats, project
from agent.build.constraints import InvalidConstraint, standard
from agent.build.formats import Manifest, Project, Uv, UvLock, UvPackage, UvWish
from agent.build.plan import Step
from agent.build.source import Source
from agent.build.tree import Tree, refuse
from agent.faults import Fault

FILE = "uv.lock"


def source(tree: Tree, manifest: Manifest | None) -> Source:
    """How uv.lock is installed; Fault where it was made for another pyproject.toml."""
    if manifest is None:
        raise refuse(f"{FILE} is there, but no pyproject.toml", "Commit pyproject.toml beside it.")
    lock = formats.read(UvLock, tree.toml(FILE), FILE)
    if manifest.project is not None:
        _check_fresh(tree, _own(lock, manifest.project), manifest.project, manifest.tool.uv)
    step = Step(("uv", "sync", "--frozen", "--no-dev"), f"Installing what {FILE} says")
    installs = project.is_package(manifest)
    return Source(
        FILE,
        [step],
        [FILE, *project.own_inputs(tree, installs=installs), *_local_inputs(tree, lock)],
        installs=installs,
        names=frozenset(canonicalize_name(package.name) for package in lock.package),
    )


def _local_inputs(tree: Tree, lock: UvLock) -> Iterator[str]:
    """What decides how the packages that are in the tree beside the project are installed.

    One that isn't there may be meant for development alone: if it isn't, uv says so.
    """
    for package in lock.package:
        where = package.source
        stays = where.editable or where.virtual
        path = stays or where.directory or where.path
        if path and path != "." and (tree.has(path) or tree.has_folder(path)):
            name = project.local(tree, path, f"{FILE}, {package.name}")
            yield from project.local_inputs(tree, name, editable=bool(stays))


def _own(lock: UvLock, said: Project) -> UvPackage:
    """The project itself, among the packages."""
    name = canonicalize_name(said.name)
    own = next((one for one in lock.package if canonicalize_name(one.name) == name), None)
    if own is None:
        raise _stale([f"it doesn't know {name!r}"])
    return own


def _check_fresh(tree: Tree, own: UvPackage, said: Project, tool: Uv) -> None:
    """Fault where the lock was made for other dependencies than the project names now."""
    if "dependencies" in said.dynamic:
        return
    locked = [wish for wish in own.metadata.requires_dist if "extra ==" not in wish.marker]
    named = [project.requirement(line, "pyproject.toml") for line in said.dependencies]
    # Where a source is named, the version in the lock is that of the source.
    elsewhere = {canonicalize_name(name) for name in tool.sources}
    elsewhere |= {canonicalize_name(one.name) for one in named if one.url}
    differing = {_key(one.name, one.extras, str(one.specifier), elsewhere) for one in named}
    differing ^= {_key(one.name, one.extras, _specifier(one), elsewhere) for one in locked}
    if differing:
        raise _stale({name for name, *_ in differing})
    for wish in locked:
        if path := wish.editable or wish.directory or wish.path:
            project.local(tree, path, f"{FILE}, {wish.name}")


def _key(
    name: str, extras: Iterable[str], specifier: str, elsewhere: Set[str]
) -> tuple[str, frozenset[str], str]:
    """A dependency, for comparing."""
    name = canonicalize_name(name)
    specifier = "" if name in elsewhere else specifier
    return name, frozenset(map(canonicalize_name, extras)), specifier


def _stale(names: Iterable[str]) -> Fault:
    return refuse(
        f"{FILE} was made before pyproject.toml changed ({', '.join(sorted(names))})",
        f"Run `uv lock`, and commit {FILE}.",
    )


def _specifier(wish: UvWish) -> str:
    try:
        return str(standard(wish.specifier))
    except InvalidConstraint:
        return wish.specifier
