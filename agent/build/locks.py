"""Lockfiles of Poetry and Pipenv, as the requirement lines that uv can install.

Neither tool is needed for that. What a marker excludes on the chosen Python is left out, and so
are development groups and extras.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.markers import InvalidMarker, Marker, default_environment
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from agent.build.plan import TREE
from agent.build.pythons import Interpreter
from agent.build.tree import Tree, refuse

Environment = dict[str, str]


def pipfile_lines(tree: Tree) -> list[str]:
    """The `default` section of Pipfile.lock."""
    try:
        packages = json.loads(tree.text("Pipfile.lock"))["default"]
    except (ValueError, KeyError, TypeError):
        packages = None
    if not isinstance(packages, dict):
        raise refuse("Pipfile.lock is not what pipenv writes", "Make it anew: pipenv lock")
    return [_pipenv_line(name, entry) for name, entry in sorted(packages.items())]


def _pipenv_line(name: str, entry: Mapping[str, Any]) -> str:
    extras = f"[{','.join(entry['extras'])}]" if entry.get("extras") else ""
    marker = f" ; {entry['markers']}" if entry.get("markers") else ""
    for key in ("path", "file"):
        if key in entry:
            prefix = "-e " if entry.get("editable") else ""
            return f"{prefix}{TREE}/{entry[key]}{extras}{marker}"
    if "git" in entry:
        reference = f"@{entry['ref']}" if entry.get("ref") else ""
        return f"{name}{extras} @ git+{entry['git']}{reference}{marker}"
    hashes = "".join(f" --hash={value}" for value in entry.get("hashes", ()))
    return f"{name}{extras}{entry.get('version', '')}{marker}{hashes}"


def poetry_lines(tree: Tree, manifest: Mapping[str, Any], python: Interpreter) -> list[str]:
    """The packages of poetry.lock that the main group needs on `python`."""
    lock = tree.toml("poetry.lock")
    packages = lock.get("package")
    if not isinstance(packages, list):
        raise refuse("poetry.lock is not what Poetry writes", "Make it anew: poetry lock")
    environment = _environment(python)
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for package in packages:
        if _applies(package.get("markers"), environment):
            by_name.setdefault(canonicalize_name(package["name"]), []).append(package)
    wanted = set(_reachable(by_name, _main_names(manifest, environment), environment))
    hashes = lock.get("metadata", {}).get("files", {})
    return [
        _poetry_line(package, hashes)
        for name in sorted(wanted)
        for package in by_name.get(name, ())
        if _for_python(package, python)
    ]


def _main_names(manifest: Mapping[str, Any], environment: Environment) -> Iterator[str]:
    """What the main group names, in Poetry's own table and in the standard one."""
    poetry = manifest.get("tool", {}).get("poetry", {})
    for name, wish in poetry.get("dependencies", {}).items():
        options = wish if isinstance(wish, dict) else {}
        needed = name != "python" and not options.get("optional")
        if needed and _applies(options.get("markers"), environment):
            yield canonicalize_name(name)
    for line in manifest.get("project", {}).get("dependencies", ()):
        name, _, marker = str(line).partition(";")
        if _applies(marker.strip() or None, environment):
            yield canonicalize_name(_bare(name))


def _reachable(
    packages: Mapping[str, list[Mapping[str, Any]]], roots: Iterator[str], environment: Environment
) -> Iterator[str]:
    """Every package that `roots` need, directly or not."""
    left, seen = list(roots), set()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        yield name
        for package in packages.get(name, ()):
            for needed, wish in package.get("dependencies", {}).items():
                wishes = wish if isinstance(wish, list) else [wish]
                if any(_is_needed(one, environment) for one in wishes):
                    left.append(canonicalize_name(needed))


def _is_needed(wish: Any, environment: Environment) -> bool:
    if not isinstance(wish, dict):
        return True
    return not wish.get("optional") and _applies(wish.get("markers"), environment)


def _poetry_line(package: Mapping[str, Any], hashes: Mapping[str, Any]) -> str:
    name, source = package["name"], package.get("source", {})
    kind, url = source.get("type"), source.get("url", "")
    if kind == "directory":
        return f"{'-e ' if package.get('develop') else ''}{TREE}/{url}"
    if kind == "file":
        return f"{TREE}/{url}"
    if kind == "git":
        reference = source.get("resolved_reference") or source.get("reference", "")
        return f"{name} @ git+{url}@{reference}"
    if kind == "url":
        return f"{name} @ {url}"
    # The first versions of the format keep the files apart from the packages.
    files = package.get("files") or hashes.get(name, ())
    pinned = "".join(f" --hash={file['hash']}" for file in files)
    return f"{name}=={package['version']}{pinned}"


def _for_python(package: Mapping[str, Any], python: Interpreter) -> bool:
    said = str(package.get("python-versions", "*"))
    try:
        allowed = SpecifierSet("" if said == "*" else said)
    except InvalidSpecifier:
        return True
    return allowed.contains(python.text)


def _applies(marker: Any, environment: Environment) -> bool:
    """Whether a marker (text, or text by group) holds; what can't be read is no reason against."""
    if isinstance(marker, dict):
        marker = marker.get("main", "python_version < '0'")
    if not marker:
        return True
    try:
        return Marker(str(marker)).evaluate(dict(environment))
    except InvalidMarker:
        return True


def _environment(python: Interpreter) -> Environment:
    own = {key: str(value) for key, value in default_environment().items()}
    major, minor, _ = python.version
    return {
        **own,
        "python_version": f"{major}.{minor}",
        "python_full_version": python.text,
        "implementation_version": python.text,
        "extra": "",
    }


def _bare(requirement: str) -> str:
    for stop in "[<>=!~( @":
        requirement = requirement.partition(stop)[0]
    return requirement.strip()
