"""uv.lock: all of an application's dependencies, installed by `uv sync` as they stand there."""

from collections.abc import Iterator

from packaging.utils import canonicalize_name

from agent.build import formats, project
from agent.build.constraints import InvalidConstraint, standard
from agent.build.formats import Manifest, UvLock, UvPackage, UvWish
from agent.build.plan import Step
from agent.build.source import Source
from agent.build.tree import Tree, refuse

FILE = "uv.lock"


def source(tree: Tree, manifest: Manifest | None) -> Source:
    """How uv.lock is installed; Fault where it was made for another pyproject.toml."""
    if manifest is None:
        raise refuse(f"{FILE} is there, but no pyproject.toml", "Commit pyproject.toml beside it.")
    lock = formats.read(UvLock, tree.toml(FILE), FILE)
    _check_fresh(lock, manifest)
    step = Step(("uv", "sync", "--frozen", "--no-dev"), f"Installing what {FILE} says")
    return Source(
        FILE,
        [step],
        [FILE, *project.inputs(tree), *_local_inputs(tree, lock)],
        installs=project.is_package(manifest),
        names=frozenset(canonicalize_name(package.name) for package in lock.package),
    )


def _local_inputs(tree: Tree, lock: UvLock) -> Iterator[str]:
    """What decides how the packages that are in the tree beside the project are installed."""
    for package in lock.package:
        where = package.source
        stays = where.editable or where.virtual
        path = stays or where.directory or where.path
        if path and path != ".":
            name = project.local(tree, path, f"{FILE}, {package.name}")
            yield from project.local_inputs(tree, name, editable=bool(stays))


def _check_fresh(lock: UvLock, manifest: Manifest) -> None:
    """Fault where the lock was made for other dependencies than the project names now."""
    if manifest.project is None or "dependencies" in manifest.project.dynamic:
        return
    own = _own(lock, manifest.project.name)
    if own is None:
        return
    named = [project.requirement(line, "pyproject.toml") for line in manifest.project.dependencies]
    # Where a source is named, the version in the lock is that of the source.
    elsewhere = {canonicalize_name(name) for name in manifest.tool.uv.sources}
    elsewhere |= {canonicalize_name(one.name) for one in named if one.url}
    wanted = {(canonicalize_name(one.name), str(one.specifier)) for one in named}
    locked = {
        (canonicalize_name(wish.name), _specifier(wish))
        for wish in own.metadata.requires_dist
        if "extra ==" not in wish.marker
    }
    names = {name for name, _ in wanted}, {name for name, _ in locked}
    differing = {name for name, _ in wanted ^ locked if name not in elsewhere}
    differing |= names[0] ^ names[1]
    if differing:
        raise refuse(
            f"{FILE} was made before pyproject.toml changed ({', '.join(sorted(differing))})",
            f"Run `uv lock`, and commit {FILE}.",
        )


def _own(lock: UvLock, name: str) -> UvPackage | None:
    """The project itself, among the packages."""
    same = (one for one in lock.package if canonicalize_name(one.name) == canonicalize_name(name))
    return next(same, None)


def _specifier(wish: UvWish) -> str:
    try:
        return str(standard(wish.specifier))
    except InvalidConstraint:
        return wish.specifier
