"""Which Python the tree asks for, and which of the worker's it gets."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from agent.build.pythons import Interpreter
from agent.build.tree import Tree, refuse

# "3.12", "3.12.4", "python-3.12.4", "cpython-3.12"
_NAMED = re.compile(r"(?:c?python-)?(\d+)\.(\d+)(?:\.(\d+))?")
# Poetry's own: ^3.11 is below 4, ~3.11 is below 3.12.
_CARET = re.compile(r"\^\s*(\d+)((?:\.\d+)*)")
_TILDE = re.compile(r"~\s*(\d+)\.(\d+)((?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class Wish:
    """What one file says. `exact` means that a patch version was named."""

    file: str
    said: str
    allowed: SpecifierSet
    exact: bool = False

    def allows(self, python: Interpreter) -> bool:
        """Whether the interpreter is what was asked for."""
        return self.allowed.contains(python.text, prereleases=True)

    def allows_minor(self, python: Interpreter) -> bool:
        """Whether it is, but for the patch version."""
        wanted = _NAMED.fullmatch(self.said)
        return bool(wanted and python.version[:2] == (int(wanted[1]), int(wanted[2])))


@dataclass(frozen=True, slots=True)
class Chosen:
    """The interpreter that the tree gets, and a sentence where it isn't quite what was asked."""

    interpreter: Interpreter
    note: str = ""


def choose(tree: Tree, pythons: Sequence[Interpreter], manifest: dict[str, Any] | None) -> Chosen:
    """The first of `pythons` that every file of the tree allows; Fault where there is none.

    `manifest` is the content of pyproject.toml, where the tree has one.
    """
    wishes = list(_wishes(tree, manifest))
    fitting = [one for one in pythons if all(wish.allows(one) for wish in wishes)]
    if fitting:
        return Chosen(fitting[0])
    loose = [one for one in pythons if all(w.allows(one) or w.allows_minor(one) for w in wishes)]
    if loose and any(wish.exact for wish in wishes):
        exact = next(wish for wish in wishes if wish.exact)
        note = f"{exact.file} asks for Python {exact.said}; this worker has {loose[0].text}."
        return Chosen(loose[0], note)
    raise _none_fits(wishes, pythons)


def _none_fits(wishes: Sequence[Wish], pythons: Sequence[Interpreter]) -> Exception:
    installed = ", ".join(one.text for one in pythons)
    asked = " and ".join(f"{wish.file} asks for Python {wish.said}" for wish in wishes)
    alone = [wish for wish in wishes if any(wish.allows(one) for one in pythons)]
    if len(wishes) > 1 and len(alone) == len(wishes):
        return refuse(f"{asked}: no version here is both", f"This worker has {installed}.")
    wish = next(wish for wish in wishes if wish not in alone)
    newest = ".".join(pythons[0].text.split(".")[:2])
    return refuse(
        f"{asked}, which this worker hasn't got",
        f"It has {installed}. Write {newest}, say, into {wish.file}, or install that Python there.",
    )


def _wishes(tree: Tree, manifest: dict[str, Any] | None) -> Iterator[Wish]:
    for file in (".python-version", "runtime.txt"):
        if tree.has(file):
            wish = _named(file, tree.text(file))
            if wish is not None:
                yield wish
    project = (manifest or {}).get("project", {})
    if isinstance(project, dict) and isinstance(project.get("requires-python"), str):
        yield _specified("pyproject.toml", project["requires-python"])
    poetry = (manifest or {}).get("tool", {}).get("poetry", {}).get("dependencies", {})
    if isinstance(poetry, dict) and isinstance(poetry.get("python"), str):
        yield _poetry("pyproject.toml", poetry["python"])
    if tree.has("Pipfile"):
        yield from _pipfile(tree)


def _named(file: str, text: str) -> Wish | None:
    """A file that names one version in its first line that says anything."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    said = next((line for line in lines if line), None)
    if said is None or said == "system":
        return None
    match = _NAMED.fullmatch(said)
    if match is None:
        raise refuse(f"{file}: {said[:40]!r} is no Python version", "Write 3.12, say.")
    version = said.rpartition("-")[2]
    specifier = f"=={version}" if match[3] else f"=={version}.*"
    return Wish(file, version, SpecifierSet(specifier), exact=bool(match[3]))


def _specified(file: str, said: str) -> Wish:
    try:
        return Wish(file, said, SpecifierSet(said))
    except InvalidSpecifier:
        raise refuse(
            f"{file}: requires-python {said[:40]!r} is no version specifier", "Write >=3.11, say."
        ) from None


def _poetry(file: str, said: str) -> Wish:
    """Poetry's way of writing specifiers, as the standard one."""
    standard = _CARET.sub(lambda m: f">={m[1]}{m[2]},<{int(m[1]) + 1}", said)
    standard = _TILDE.sub(lambda m: f">={m[1]}.{m[2]}{m[3]},<{m[1]}.{int(m[2]) + 1}", standard)
    if standard.strip() == "*":
        standard = ""
    alternatives = [part.strip() for part in standard.split("||")]
    if re.fullmatch(r"\d+(\.\d+)+", alternatives[0]):
        alternatives[0] = f"=={alternatives[0]}.*"
    return _specified(file, alternatives[0])


def _pipfile(tree: Tree) -> Iterator[Wish]:
    requires = tree.toml("Pipfile").get("requires", {})
    if isinstance(requires, dict):
        for key in ("python_full_version", "python_version"):
            if isinstance(requires.get(key), str):
                wish = _named("Pipfile", requires[key])
                if wish is not None:
                    yield wish
                return
