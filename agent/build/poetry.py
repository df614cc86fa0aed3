"""poetry.lock, as the requirement lines that uv can install. Poetry is not needed for that.

Since format 2.1 the lock says of each package which groups need it, and when. Before, it is found
by following the dependencies from what pyproject.toml names.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from packaging.markers import Marker, default_environment
from packaging.utils import canonicalize_name

from agent.build import formats, project
from agent.build.constraints import InvalidConstraint, poetry
from agent.build.formats import Manifest, PoetryLock, PoetryPackage, Wish
from agent.build.plan import TREE, Step
from agent.build.pythons import Interpreter
from agent.build.source import EDITABLE_SELF, GENERATED, Source, index_lines, install_generated
from agent.build.tree import Tree, refuse

FILE = "poetry.lock"
_MAIN = "main"
_NAME = re.compile(r"[A-Za-z0-9._-]+")

Packages = Mapping[str, Sequence[PoetryPackage]]
# A package's name, and what is asked of it.
Asked = tuple[str, Wish]


def source(tree: Tree, manifest: Manifest | None, python: Interpreter) -> Source:
    """How the packages that the main group needs on `python` are installed."""
    if manifest is None:
        raise refuse(f"{FILE} is there, but no pyproject.toml", "Commit pyproject.toml beside it.")
    lock = formats.read(PoetryLock, tree.toml(FILE), FILE)
    target = _Target(python)
    packages = list(_needed(lock, manifest, target))
    indexes = index_lines(one.source.url for one in packages if one.source.type == "legacy")
    steps = [install_generated(FILE, indexes)]
    installs = project.is_package(manifest) and _has_own_package(tree, manifest)
    if installs:
        steps.append(Step((*EDITABLE_SELF, "--no-deps"), "Installing the project itself"))
    # What isn't installed has said all it has to say in the lines that are generated.
    inputs = project.inputs(tree) if installs else []
    for package in packages:
        if package.source.type in ("directory", "file"):
            name = project.local(tree, package.source.url, f"{FILE}, {package.name}")
            inputs += project.local_inputs(tree, name, editable=package.develop)
    lines = [*indexes, *(_line(package, lock) for package in packages)]
    return Source(
        FILE,
        steps,
        inputs,
        {GENERATED: "".join(f"{line}\n" for line in lines)},
        installs=installs,
        names=frozenset(canonicalize_name(package.name) for package in packages),
    )


class _Target:
    """The Python that is installed for: which conditions hold on it."""

    def __init__(self, python: Interpreter) -> None:
        self._python = python
        major, minor, _ = python.version
        self._environment = {
            **{key: str(value) for key, value in default_environment().items()},
            "python_version": f"{major}.{minor}",
            "python_full_version": python.text,
            "implementation_version": python.text,
        }

    def meets(self, marker: str | Mapping[str, str] | None, extra: str = "") -> bool:
        """Whether a marker holds, or the main group's; what can't be read is no reason against."""
        # A group that always needs the package is left out of the table.
        text = marker.get(_MAIN) if isinstance(marker, Mapping) else marker
        if not text:
            return True
        try:
            return Marker(text).evaluate({**self._environment, "extra": extra})
        except (ValueError, LookupError, RecursionError):
            return True

    def allows(self, versions: str | None) -> bool:
        """Whether this Python is one of `versions`, in Poetry's notation."""
        return not versions or _admits(versions, self._python.text)

    def wants(self, wish: Wish, extra: str = "") -> bool:
        """Whether a dependency is asked for here, by a package that is wanted with `extra`."""
        return self.meets(wish.markers, extra) and self.allows(wish.python)


def _admits(constraint: str, version: str) -> bool:
    """Whether a version is within a constraint; what can't be read is no reason against it."""
    try:
        return version in poetry(constraint)
    except InvalidConstraint:
        return True


def _needed(lock: PoetryLock, manifest: Manifest, target: _Target) -> Iterator[PoetryPackage]:
    """The packages that the main group needs, by name."""
    by_name: dict[str, list[PoetryPackage]] = {}
    for package in lock.package:
        by_name.setdefault(canonicalize_name(package.name), []).append(package)
    asked = list(_asked(manifest, target))
    _check_fresh(by_name, asked)
    if any(package.groups is not None for package in lock.package):
        chosen = [one for one in lock.package if _MAIN in (one.groups or ())]
    else:
        chosen = list(_reachable(by_name, asked, target))
    for package in sorted(chosen, key=lambda one: one.name):
        if target.meets(package.markers) and target.allows(package.python_versions):
            yield package


def _asked(manifest: Manifest, target: _Target) -> Iterator[Asked]:
    """What the main group names, in the standard table or in Poetry's own."""
    standard = manifest.project
    own = manifest.tool.poetry.dependencies if manifest.tool.poetry else {}
    # Beside a standard list, Poetry's own table only says more of what stands there.
    if standard is None or "dependencies" in standard.dynamic or not standard.dependencies:
        for name, said in own.items():
            for wish in formats.wishes(said):
                if name != "python" and not wish.optional and target.wants(wish):
                    yield canonicalize_name(name), wish
    for line in standard.dependencies if standard else ():
        wanted = project.requirement(line, "pyproject.toml")
        if target.meets(str(wanted.marker) if wanted.marker else None):
            version = str(wanted.specifier) or "*"
            yield canonicalize_name(wanted.name), Wish(version, sorted(wanted.extras))


def _check_fresh(packages: Packages, asked: Sequence[Asked]) -> None:
    """Fault where the project names what is not locked, or not at a version that it allows."""
    differing = {
        name
        for name, wish in asked
        if not any(_admits(wish.version, one.version) for one in packages.get(name, ()))
    }
    if differing:
        raise refuse(
            f"{FILE} was made before pyproject.toml changed ({', '.join(sorted(differing))})",
            f"Run `poetry lock`, and commit {FILE}.",
        )


def _reachable(
    packages: Packages, asked: Sequence[Asked], target: _Target
) -> Iterator[PoetryPackage]:
    """Every package that what is `asked` needs, directly or not."""
    # By name and version: the extras that have been followed, of which "" is the package alone.
    followed: dict[tuple[str, str], set[str]] = {}
    left = list(asked)
    while left:
        name, wish = left.pop()
        for package in packages.get(name, ()):
            if not target.allows(package.python_versions):
                continue
            if not _admits(wish.version, package.version):
                continue
            known = followed.setdefault((name, package.version), set())
            new = {"", *map(canonicalize_name, wish.extras)} - known
            if not known:
                yield package
            known |= new
            left += _dependencies(package, new, target) if new else ()


def _dependencies(package: PoetryPackage, extras: set[str], target: _Target) -> Iterator[Asked]:
    """What a package needs when it is asked for with `extras`."""
    brought = {
        canonicalize_name(match[0])
        for extra, lines in package.extras.items()
        if canonicalize_name(extra) in extras
        for line in lines
        if (match := _NAME.match(line))
    }
    for written, said in package.dependencies.items():
        needed = canonicalize_name(written)
        for wish in formats.wishes(said):
            wanted = any(target.wants(wish, extra) for extra in extras)
            if wanted and (not wish.optional or needed in brought):
                yield needed, wish


def _line(package: PoetryPackage, lock: PoetryLock) -> str:
    name, where = package.name, package.source
    folder = f"#subdirectory={where.subdirectory}" if where.subdirectory else ""
    if where.type == "directory" and package.develop:
        line = f"-e file://{TREE}/{quote(where.url)}"
    elif where.type in ("directory", "file"):
        line = f"{name} @ file://{TREE}/{quote(where.url)}"
    elif where.type == "git":
        reference = where.resolved_reference or where.reference or "HEAD"
        line = f"{name} @ git+{where.url}@{reference}{folder}"
    elif where.type == "url":
        line = f"{name} @ {where.url}{folder}"
    else:
        files = package.files or lock.metadata.files.get(name, [])
        pinned = "".join(f" --hash={file.hash}" for file in files)
        line = f"{name}=={package.version}{pinned}"
    return formats.one_line(line, FILE)


def _has_own_package(tree: Tree, manifest: Manifest) -> bool:
    """Whether Poetry would find something to install: a module or package of the project's name."""
    own = manifest.tool.poetry
    if own and own.packages is not None:
        return True
    said = (manifest.project and manifest.project.name) or (own.name if own else "")
    name = said.lower().replace("-", "_").replace(".", "_")
    places = (name, f"src/{name}")
    return any(tree.has_folder(place) or tree.has(f"{place}.py") for place in places if name)
