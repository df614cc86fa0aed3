"""poetry.lock, as the requirement lines that uv can install. Poetry is not needed for that.

Since format 2.1 the lock says of each package which groups need it, and when. Before, it is found
by following the dependencies from what pyproject.toml names.
"""

from collections.abc import Iterator, Mapping, Sequence

from packaging.markers import InvalidMarker, Marker, default_environment
from packaging.utils import canonicalize_name

from agent.build import formats, project
from agent.build.constraints import InvalidConstraint, poetry
from agent.build.formats import Manifest, PoetryLock, PoetryPackage, Wish
from agent.build.plan import TREE, Step
from agent.build.pythons import Interpreter
from agent.build.source import EDITABLE_SELF, GENERATED, Source, install_generated
from agent.build.tree import Tree, refuse

FILE = "poetry.lock"
_MAIN = "main"

Packages = Mapping[str, Sequence[PoetryPackage]]
# The names of packages that are asked for, each with the extras that it is asked for with.
Extras = dict[str, set[str]]


def source(tree: Tree, manifest: Manifest | None, python: Interpreter) -> Source:
    """How the packages that the main group needs on `python` are installed."""
    if manifest is None:
        raise refuse(f"{FILE} is there, but no pyproject.toml", "Commit pyproject.toml beside it.")
    lock = formats.read(PoetryLock, tree.toml(FILE), FILE)
    target = _Target(python)
    packages = list(_needed(lock, manifest, target))
    steps = [install_generated(FILE, ("--no-deps",))]
    installs = project.is_package(manifest) and _has_own_package(tree, manifest)
    if installs:
        steps.append(Step((*EDITABLE_SELF, "--no-deps"), "Installing the project itself"))
    inputs = [FILE, *project.inputs(tree)]
    for package in packages:
        if package.source.type in ("directory", "file"):
            name = project.local(tree, package.source.url, f"{FILE}, {package.name}")
            inputs += project.local_inputs(tree, name, editable=package.develop)
    lines = [_line(package, lock) for package in packages]
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
            "extra": "",
        }

    def meets(self, marker: str | Mapping[str, str] | None) -> bool:
        """Whether a marker holds, or the main group's; what can't be read is no reason against."""
        text = marker.get(_MAIN) if isinstance(marker, Mapping) else marker
        if not text:
            return True
        try:
            return Marker(text).evaluate(self._environment)
        except (InvalidMarker, ValueError):
            return True

    def allows(self, versions: str | None) -> bool:
        """Whether this Python is one of `versions`, in Poetry's notation."""
        try:
            return not versions or self._python.text in poetry(versions)
        except InvalidConstraint:
            return True

    def wants(self, wish: Wish) -> bool:
        """Whether a dependency is asked for here."""
        return self.meets(wish.markers) and self.allows(wish.python)


def _needed(lock: PoetryLock, manifest: Manifest, target: _Target) -> Iterator[PoetryPackage]:
    """The packages that the main group needs, by name."""
    by_name: dict[str, list[PoetryPackage]] = {}
    for package in lock.package:
        by_name.setdefault(canonicalize_name(package.name), []).append(package)
    roots = _roots(manifest, target)
    missing = sorted(set(roots) - set(by_name))
    if missing:
        raise refuse(
            f"{FILE} was made before pyproject.toml changed ({', '.join(missing)})",
            f"Run `poetry lock`, and commit {FILE}.",
        )
    settled = any(package.groups is not None for package in lock.package)
    names = set(by_name) if settled else _reachable(by_name, roots, target)
    for name in sorted(names & set(by_name)):
        for package in by_name[name]:
            in_main = package.groups is None or _MAIN in package.groups
            applies = target.meets(package.markers) and target.allows(package.python_versions)
            if in_main and applies:
                yield package


def _roots(manifest: Manifest, target: _Target) -> Extras:
    """What the main group names, in the standard table or in Poetry's own."""
    standard = manifest.project
    own = manifest.tool.poetry.dependencies if manifest.tool.poetry else {}
    found: Extras = {}
    # Beside a standard list, Poetry's own table only says more of what stands there.
    if standard is None or "dependencies" in standard.dynamic or not standard.dependencies:
        for name, said in own.items():
            for wish in formats.wishes(said):
                if name != "python" and not wish.optional and target.wants(wish):
                    found.setdefault(canonicalize_name(name), set()).update(wish.extras)
    for line in standard.dependencies if standard else ():
        wanted = project.requirement(line, "pyproject.toml")
        if target.meets(str(wanted.marker) if wanted.marker else None):
            found.setdefault(canonicalize_name(wanted.name), set()).update(wanted.extras)
    return found


def _reachable(packages: Packages, roots: Extras, target: _Target) -> set[str]:
    """The names of all packages that `roots` need, directly or not."""
    asked = {name: set(extras) for name, extras in roots.items()}
    left = list(asked)
    while left:
        name = left.pop()
        for package in packages.get(name, ()):
            for needed, wish in _dependencies(package, asked[name], target):
                if needed not in asked or not asked[needed].issuperset(wish.extras):
                    asked.setdefault(needed, set()).update(wish.extras)
                    left.append(needed)
    return set(asked)


def _dependencies(
    package: PoetryPackage, extras: set[str], target: _Target
) -> Iterator[tuple[str, Wish]]:
    """What a package needs when it is asked for with `extras`."""
    brought = {
        canonicalize_name(project.requirement(line, FILE).name)
        for extra in extras
        for line in package.extras.get(extra, ())
    }
    for name, said in package.dependencies.items():
        needed = canonicalize_name(name)
        for wish in formats.wishes(said):
            if target.wants(wish) and (not wish.optional or needed in brought):
                yield needed, wish


def _line(package: PoetryPackage, lock: PoetryLock) -> str:
    name, where = package.name, package.source
    folder = f"#subdirectory={where.subdirectory}" if where.subdirectory else ""
    if where.type == "directory" and package.develop:
        line = f"-e {TREE}/{where.url}"
    elif where.type in ("directory", "file"):
        line = f"{name} @ file://{TREE}/{where.url}"
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
