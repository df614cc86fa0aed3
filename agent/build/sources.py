"""What decides an app's dependencies: the most exact of the files that it brings."""

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from agent.build import locks, requirements
from agent.build.plan import SCRATCH, Step
from agent.build.pythons import Interpreter
from agent.build.tree import Tree, refuse

_REQUIREMENTS = "requirements.txt"
# What a build of the project itself reads.
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in")
_NEAR = ("requirements.txt", "pyproject.toml", "uv.lock", "poetry.lock", "Pipfile.lock", "setup.py")
_GENERATED = "requirements.txt"
_EDITABLE_SELF = ("uv", "pip", "install", "--editable", ".")


@dataclass(frozen=True, slots=True)
class Source:
    """The chosen file, how it is installed, and all that decides what that installs.

    `inputs` are files and folders of the tree, `files` what is generated for the steps. `installs`
    says that the project itself is installed; `names` are packages that are known to come, or None
    where that can't be told.
    """

    name: str
    steps: Sequence[Step]
    inputs: Sequence[str]
    files: Mapping[str, str] = field(default_factory=dict)
    installs: bool = False
    names: frozenset[str] | None = None
    notes: Sequence[str] = ()


def manifest_of(tree: Tree) -> dict[str, Any] | None:
    """The content of pyproject.toml, or None."""
    return tree.toml("pyproject.toml") if tree.has("pyproject.toml") else None


def choose(tree: Tree, manifest: dict[str, Any] | None, python: Interpreter) -> Source:
    """The most exact source of the tree; Fault where it has none, or one that is broken."""
    makers = {
        "uv.lock": lambda: _uv(tree, manifest),
        "poetry.lock": lambda: _poetry(tree, manifest, python),
        "Pipfile.lock": lambda: _pipenv(tree),
        _REQUIREMENTS: lambda: _requirements(tree),
        "pyproject.toml": lambda: _project(tree, manifest or {}),
        "setup.py": lambda: _setup(tree, "setup.py"),
        "setup.cfg": lambda: _setup(tree, "setup.cfg"),
    }
    there = [name for name in makers if tree.has(name) and _decides(name, manifest)]
    if not there:
        raise _nothing(tree)
    source = makers[there[0]]()
    # A manifest beside its own lockfile is no second opinion.
    others = [name for name in there[1:] if name not in _manifests(there[0])]
    if not others:
        return source
    note = f"{_listed(there[:1] + others)} are there: {there[0]} is the most exact, so it decides."
    return Source(
        source.name,
        source.steps,
        source.inputs,
        source.files,
        source.installs,
        source.names,
        (note, *source.notes),
    )


def fingerprint(tree: Tree, source: Source, steps: Iterable[Step], python: Interpreter) -> str:
    """A digest over all that decides what the steps install."""
    sha = hashlib.sha256()

    def add(*words: str | bytes) -> None:
        for word in words:
            raw = word.encode() if isinstance(word, str) else word
            sha.update(len(raw).to_bytes(8, "big") + raw)

    add(str(python.path), python.text)
    for step in steps:
        add(*step.argv)
    for name, text in sorted(source.files.items()):
        add(name, text)
    for name in source.inputs:
        for path in _files(tree, name):
            add(str(path.relative_to(tree.root)), path.read_bytes())
    return sha.hexdigest()


def _uv(tree: Tree, manifest: dict[str, Any] | None) -> Source:
    if manifest is None:
        raise refuse("uv.lock is there, but no pyproject.toml", "Commit pyproject.toml beside it.")
    lock = tree.toml("uv.lock")
    _check_fresh(lock, manifest)
    packages = [package for package in lock.get("package", ()) if isinstance(package, dict)]
    folders = [package.get("source", {}).get("directory") for package in packages]
    step = Step(("uv", "sync", "--frozen", "--no-dev"), "Installing what uv.lock says")
    inputs = ["uv.lock", *_present(tree, _PROJECT_FILES), *sorted(filter(None, folders))]
    names = frozenset(canonicalize_name(str(package.get("name", ""))) for package in packages)
    return Source("uv.lock", [step], inputs, installs="build-system" in manifest, names=names)


def _check_fresh(lock: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """Fault where the lock was made for other dependencies than the project names now."""
    project = manifest.get("project", {})
    own = canonicalize_name(str(project.get("name", "")))
    if "dependencies" in project.get("dynamic", ()):
        return
    for package in lock.get("package", ()):
        listed = package.get("metadata", {}).get("requires-dist")
        if canonicalize_name(package.get("name", "")) != own or listed is None:
            continue
        locked = {canonicalize_name(entry["name"]) for entry in listed if not _is_extra(entry)}
        named = {_name(line) for line in project.get("dependencies", ())}
        if locked != named:
            differing = ", ".join(sorted(locked ^ named))
            raise refuse(
                f"uv.lock was made before pyproject.toml changed ({differing})",
                "Run `uv lock`, and commit uv.lock.",
            )


def _is_extra(entry: Mapping[str, Any]) -> bool:
    return "extra ==" in str(entry.get("marker", ""))


def _name(line: object) -> str:
    try:
        return canonicalize_name(Requirement(str(line)).name)
    except InvalidRequirement as error:
        raise refuse(f"pyproject.toml: {error}", "Mend that dependency.") from None


def _poetry(tree: Tree, manifest: dict[str, Any] | None, python: Interpreter) -> Source:
    if manifest is None:
        raise refuse(
            "poetry.lock is there, but no pyproject.toml", "Commit pyproject.toml beside it."
        )
    lines = locks.poetry_lines(tree, manifest, python)
    steps = [_generated("poetry.lock")]
    packaged = manifest.get("tool", {}).get("poetry", {}).get("package-mode", True)
    installs = bool(packaged) and "build-system" in manifest and _has_own_package(tree, manifest)
    if installs:
        steps.append(Step((*_EDITABLE_SELF, "--no-deps"), "Installing the project itself"))
    inputs = ["poetry.lock", *_present(tree, _PROJECT_FILES)]
    return _from_lines("poetry.lock", lines, steps, inputs, installs=installs)


def _has_own_package(tree: Tree, manifest: Mapping[str, Any]) -> bool:
    """Whether Poetry would find something to install: a module or package of the project's name."""
    poetry, project = manifest.get("tool", {}).get("poetry", {}), manifest.get("project", {})
    name = str(project.get("name") or poetry.get("name") or "").lower().replace("-", "_")
    places = (name, f"src/{name}")
    return "packages" in poetry or any(
        tree.has_folder(place) or tree.has(f"{place}.py") for place in places if name
    )


def _pipenv(tree: Tree) -> Source:
    lines = locks.pipfile_lines(tree)
    inputs = ["Pipfile.lock", *_present(tree, _PROJECT_FILES)]
    source = _from_lines("Pipfile.lock", lines, [_generated("Pipfile.lock")], inputs)
    notes = _pipfile_notes(tree)
    return Source(source.name, source.steps, inputs, source.files, names=source.names, notes=notes)


def _pipfile_notes(tree: Tree) -> list[str]:
    """Whether the lock was made of another Pipfile; source: plette's Pipfile.get_hash."""
    if not tree.has("Pipfile"):
        return []
    pipfile = tree.toml("Pipfile")
    own = ("source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv")
    content: dict[str, Any] = {
        "_meta": {"sources": pipfile.get("source", []), "requires": pipfile.get("requires", {})},
        "default": pipfile.get("packages", {}),
        "develop": pipfile.get("dev-packages", {}),
        **{name: section for name, section in pipfile.items() if name not in own},
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    known = json.loads(tree.text("Pipfile.lock")).get("_meta", {}).get("hash", {}).get("sha256")
    if known in (None, hashlib.sha256(text.encode()).hexdigest()):
        return []
    return ["Pipfile.lock was made of another Pipfile: run `pipenv lock`, and commit it."]


def _requirements(tree: Tree) -> Source:
    found = requirements.read(tree)
    step = Step(
        ("uv", "pip", "install", "--requirement", _REQUIREMENTS),
        "Installing what requirements.txt says" + (", checking hashes" if found.hashed else ""),
    )
    inputs = list(found.files)
    for path, editable in found.local:
        # Of an editable one only what its installation reads matters: its code stays in place.
        folder = "" if path == "." else f"{path}/"
        inputs += _present(tree, [folder + name for name in _PROJECT_FILES]) if editable else [path]
    itself = any(path == "." for path, _ in found.local)
    names = None if found.local else frozenset(found.names)
    return Source(_REQUIREMENTS, [step], inputs, installs=itself, names=names)


def _project(tree: Tree, manifest: dict[str, Any]) -> Source:
    packaged = "build-system" in manifest
    argv = _EDITABLE_SELF if packaged else ("uv", "pip", "install", "-r", "pyproject.toml")
    step = Step(argv, "Installing what pyproject.toml says")
    note = "Without a lockfile, versions are chosen when they are installed: commit uv.lock."
    inputs = _present(tree, _PROJECT_FILES)
    return Source("pyproject.toml", [step], inputs, installs=packaged, notes=[note])


def _setup(tree: Tree, name: str) -> Source:
    step = Step(_EDITABLE_SELF, f"Installing what {name} says")
    # A setup.py likes to read lists of requirements.
    texts = [file for file in tree.names() if file.endswith(".txt") and tree.has(file)]
    inputs = [*_present(tree, _PROJECT_FILES), *texts]
    return Source(name, [step], inputs, installs=True)


def _generated(name: str) -> Step:
    argv = ("uv", "pip", "install", "--requirement", f"{SCRATCH}/{_GENERATED}")
    return Step(argv, f"Installing what {name} says")


def _from_lines(
    name: str, lines: list[str], steps: list[Step], inputs: list[str], *, installs: bool = False
) -> Source:
    names = frozenset(
        canonicalize_name(line.partition("==")[0].partition("[")[0].partition(" ")[0])
        for line in lines
    )
    text = "".join(f"{line}\n" for line in lines)
    return Source(name, steps, inputs, {_GENERATED: text}, installs, names)


def _decides(name: str, manifest: Mapping[str, Any] | None) -> bool:
    """Whether a file says anything of dependencies: a pyproject.toml may only set up tools."""
    if name != "pyproject.toml":
        return True
    found = manifest or {}
    return bool("project" in found or found.get("tool", {}).get("poetry", {}).get("dependencies"))


def _manifests(lock: str) -> tuple[str, ...]:
    if lock in ("uv.lock", "poetry.lock", _REQUIREMENTS, "pyproject.toml"):
        return ("pyproject.toml", "setup.py", "setup.cfg")
    return ("setup.cfg",) if lock == "setup.py" else ()


def _nothing(tree: Tree) -> Exception:
    names = tree.names()
    lower = {name.lower(): name for name in names}
    for wanted in _NEAR:
        near = difflib.get_close_matches(wanted.lower(), lower, n=1, cutoff=0.8)
        if near and lower[near[0]] != wanted:
            found = lower[near[0]]
            return refuse(
                f"{found} is there, but no {wanted}", f"Is it meant? git mv {found} {wanted}"
            )
    if "environment.yml" in names or "environment.yaml" in names:
        return refuse(
            "environment.yml is conda's, which Kurama doesn't use",
            "List what the app needs in requirements.txt.",
        )
    return refuse(
        "Nothing says what the app depends on: no requirements.txt, uv.lock, poetry.lock, "
        "Pipfile.lock, pyproject.toml or setup.py",
        "Write requirements.txt, with `flask` in it at least.",
    )


def _present(tree: Tree, names: Iterable[str]) -> list[str]:
    return [name for name in names if tree.has(name)]


def _files(tree: Tree, name: str) -> list[Path]:
    """The file `name`, or every file of the folder `name`, in order; links are not followed."""
    path = tree.root / name
    if path.is_file():
        return [path]
    found = (inner for inner in path.rglob("*") if inner.is_file() and not inner.is_symlink())
    return sorted(inner for inner in found if "__pycache__" not in inner.parts)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
