"""Finds the Flask application by reading the code, as gunicorn wants it named: "shop.web:app".

It reads syntax trees and runs nothing.
"""

import io
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from dotenv import dotenv_values

from agent.build.applications import FACTORIES, Unreadable, applications, is_callable
from agent.build.pythons import Interpreter
from agent.build.tree import Tree, refuse

# Modules in which people put the application, the likeliest first.
_LIKELY = ("wsgi", "app", "application", "main", "server", "run", "web", "factory")
# Modules that never are the application.
_NOT = frozenset("conftest fabfile gunicorn_conf manage noxfile setup tasks".split())
_SOURCE_FOLDER = "src"
_INIT = "__init__"
# A module of an unlikely name has no application without one of them.
_WORDS = ("Flask", *FACTORIES)
_ASSIGNMENT = re.compile(r"(?m)^[ \t]*(?:export[ \t]+)?FLASK_APP[ \t]*=.*$")
# How many modules are read, at most: nobody's application is behind so many others.
_MOST_MODULES = 300
# In characters; a second or two of reading, and more than people write.
_MOST_CODE = 2_000_000


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """`target` is gunicorn's argument; `folder` is what has to be on Python's path, or ""."""

    target: str
    folder: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Module:
    """A Python file: `name` is its dotted name for who has `folder` on the path."""

    file: str
    folder: str
    name: str

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Where to look first: at the top, in shallow packages, in likely names."""
        last = self.name.rpartition(".")[2]
        # A package itself stands for what is right in it.
        depth = self.name.count(".") + self.file.endswith(f"{_INIT}.py")
        likely = _LIKELY.index(last) if last in _LIKELY else len(_LIKELY)
        return self.folder != "", depth, likely

    @property
    def is_usual(self) -> bool:
        """Whether it may be the application's though nobody says so."""
        last = self.name.rpartition(".")[2]
        return last not in _NOT and not last.startswith("test")

    @property
    def is_likely(self) -> bool:
        """Whether people put the application into modules of this name."""
        return self.name.rpartition(".")[2] in _LIKELY


@dataclass(frozen=True, slots=True)
class _Candidate:
    module: _Module
    name: str
    # An object that is there beats a factory that has to be called.
    is_factory: bool

    @property
    def target(self) -> str:
        return f"{self.module.name}:{self.name}{'()' if self.is_factory else ''}"


def find(tree: Tree, config: Mapping[str, str], python: Interpreter) -> EntryPoint:
    """The application of the tree; Fault, with what was looked at, where there is none.

    `config` is the app's: its FLASK_APP comes first, then those of .flaskenv and .env. `python` is
    what the app will run with: code for a newer Python than this one can't always be read here.
    """
    modules = _modules(tree)
    try:
        named = _named(tree, config, modules)
        return _look(tree, [one for one in modules if one.is_usual]) if named is None else named
    except Unreadable as error:
        raise _unreadable(error, python) from None


def _look(tree: Tree, modules: list[_Module]) -> EntryPoint:
    """The likeliest application of these modules; Fault where there is none."""
    found: list[_Candidate] = []
    left = _MOST_CODE
    for _, alike in groupby(modules[:_MOST_MODULES], key=lambda module: module.rank[:2]):
        unreadable: list[Unreadable] = []
        for module in alike:
            try:
                source = _worth_reading(tree, module) if left > 0 else ""
                left -= len(source)
                found += _candidates(module, source, likely=module.is_likely)
            except Unreadable as error:
                unreadable.append(error)
        if found:
            break
        if unreadable:
            raise unreadable[0]
    else:
        raise _nothing(modules)
    best = min(found, key=lambda one: (one.is_factory, one.module.rank))
    others = sorted({one.target for one in found if one.target != best.target})
    note = f"The Flask app is {best.target}"
    if others:
        note += f"; a Procfile or FLASK_APP would choose another: {', '.join(others[:3])}"
    return EntryPoint(best.target, best.module.folder, note + ".")


def has_source_folder(tree: Tree) -> bool:
    """Whether the application's packages are under src/."""
    return any(module.folder for module in _modules(tree))


def _source_folder(tree: Tree) -> str:
    """The folder whose packages are the application's, unless it is a package itself."""
    return "" if tree.has(f"{_SOURCE_FOLDER}/{_INIT}.py") else _SOURCE_FOLDER


def _modules(tree: Tree) -> list[_Module]:
    """The modules that may hold the application, the likeliest first."""
    found = []
    source_folder = _source_folder(tree)
    for file in tree.modules():
        inside = bool(source_folder) and file.startswith(f"{source_folder}/")
        folder = source_folder if inside else ""
        path = file.removeprefix(f"{folder}/" if folder else "").removesuffix(".py")
        parts = path.removesuffix(f"/{_INIT}").split("/")
        if all(part.isidentifier() for part in parts) and parts != [_INIT]:
            found.append(_Module(file, folder, ".".join(parts)))
    return sorted(found, key=lambda module: (module.rank, module.name))


def _named(tree: Tree, config: Mapping[str, str], modules: list[_Module]) -> EntryPoint | None:
    """What FLASK_APP says, in Flask's way of writing it."""
    said, where = config.get("FLASK_APP"), "the app's config"
    for file in (".flaskenv", ".env"):
        if not said and tree.has(file):
            said, where = _assigned(tree.text(file)), file
    if not said:
        return None
    path, _, name = said.strip().partition(":")
    wanted = path.removesuffix(".py").removeprefix("./").replace("/", ".").strip(".")
    names = (wanted, wanted.removeprefix(f"{_SOURCE_FOLDER}."))
    module = next((one for one in modules if one.name in names), None)
    if module is None:
        raise refuse(
            f"FLASK_APP ({where}) is {said[:80]!r}, and there is no module {wanted[:80]!r}",
            "Correct it, or take it out and let Kurama look.",
        )
    if name:
        call = "()" if name in FACTORIES else ""
        if not is_callable(name + call):
            raise refuse(
                f"FLASK_APP ({where}) is {said[:80]!r}: gunicorn wants a name or a call there",
                f"Write {module.name}:app, or {module.name}:create_app('production').",
            )
        return EntryPoint(f"{module.name}:{name}{call}", module.folder)
    # Who names a module has no need to call it by a likely name.
    candidates = _candidates(module, tree.source(module.file) or "", likely=True)
    if not candidates:
        raise refuse(
            f"FLASK_APP ({where}) is {said[:80]!r}, and no app was found in that module",
            f"Name it: FLASK_APP={module.name}:app, or {module.name}:create_app().",
        )
    return EntryPoint(candidates[0].target, module.folder)


def _assigned(text: str) -> str | None:
    """FLASK_APP in a file of variables; python-dotenv sees only that line, for it logs others."""
    lines = _ASSIGNMENT.findall(text)
    values = dotenv_values(stream=io.StringIO(lines[-1] if lines else ""), interpolate=False)
    return values.get("FLASK_APP")


def _worth_reading(tree: Tree, module: _Module) -> str:
    """The module's text, or nothing: most modules have nothing to do with the application."""
    source = tree.source(module.file) or ""
    return source if module.is_likely or any(word in source for word in _WORDS) else ""


def _candidates(module: _Module, source: str, *, likely: bool) -> list[_Candidate]:
    """The applications of one module, an object before a factory; Unreadable at the top only."""
    try:
        found = applications(source, likely=likely)
    except Unreadable as error:
        if not likely or module.rank[1]:
            return []
        error.file = module.file
        raise
    objects = [_Candidate(module, name, is_factory=False) for name in found.objects[:1]]
    return objects + [_Candidate(module, name, is_factory=True) for name in found.factories[:1]]


def _unreadable(error: Unreadable, python: Interpreter) -> Exception:
    said = f"{error.file}, line {error.line}: {error.what}"
    own = sys.version_info[:2]
    if python.version[:2] > own:
        return refuse(
            f"Kurama looks for the Flask app with Python {own[0]}.{own[1]}. It can't read {said}",
            'Say where it is, in a Procfile:  web: gunicorn --bind "$HOST:$PORT" module:app',
        )
    return refuse(said, "Python can't read it. Does it run on your machine, with the same Python?")


def _nothing(modules: list[_Module]) -> Exception:
    where = ", ".join(module.file for module in modules[:12]) or "no module at all"
    return refuse(
        f"No Flask app was found. Looked for `app`, `application`, `create_app()` and `make_app()` "
        f"in: {where}",
        "Say it in a Procfile (web: gunicorn package.module:app), "
        "or with FLASK_APP=package.module:app in .flaskenv.",
    )
