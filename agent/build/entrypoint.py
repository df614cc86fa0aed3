"""Finds the Flask application by reading the code, as gunicorn wants it named: "shop.web:app".

It reads syntax trees and runs nothing.
"""

import ast
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dotenv import dotenv_values

from agent.build.tree import Tree, refuse

_NAMES = ("app", "application")
_FACTORIES = ("create_app", "make_app")
# Modules in which people put the application, the likeliest first.
_LIKELY = ("wsgi", "app", "application", "main", "server", "run")
# The same within a package.
_INNER = ("wsgi", "app", "application", "main", "web", "server", "factory")
# Modules at the top that never are the application.
_NOT = frozenset("conftest fabfile gunicorn_conf manage noxfile setup tasks".split())
_SOURCE_FOLDER = "src"


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """`target` is gunicorn's argument; `folder` is what has to be on Python's path, or ""."""

    target: str
    folder: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    target: str
    folder: str
    # An object that is there beats a factory that has to be called.
    rank: int


def find(tree: Tree, config: Mapping[str, str]) -> EntryPoint:
    """The application of the tree; Fault, with what was looked at, where there is none.

    `config` is the app's: its FLASK_APP comes first, then those of .flaskenv and .env.
    """
    named = _named(tree, config)
    if named is not None:
        return named
    looked: list[str] = []
    found: list[_Candidate] = []
    for folder in ("", _SOURCE_FOLDER):
        for module in _modules(tree, folder):
            looked.append(f"{folder}/{module}" if folder else module)
            found += _candidates(tree, folder, module)
        if found:
            break
    if not found:
        raise _nothing(looked)
    best = min(found, key=lambda one: one.rank)
    others = sorted({one.target for one in found if one.target != best.target})
    note = f"The Flask app is {best.target}"
    if others:
        note += f"; a Procfile or FLASK_APP would choose another: {', '.join(others[:3])}"
    return EntryPoint(best.target, best.folder, note + ".")


def _named(tree: Tree, config: Mapping[str, str]) -> EntryPoint | None:
    """What FLASK_APP says, in Flask's way of writing it."""
    said, where = config.get("FLASK_APP"), "the app's config"
    for file in (".flaskenv", ".env"):
        if not said and tree.has(file):
            values = dotenv_values(stream=io.StringIO(tree.text(file)), interpolate=False)
            said, where = values.get("FLASK_APP"), file
    if not said:
        return None
    module, _, name = said.strip().partition(":")
    module = module.removesuffix(".py").strip("./").replace("/", ".")
    folder = ""
    if not _exists(tree, "", module):
        if not _exists(tree, _SOURCE_FOLDER, module):
            raise refuse(
                f"FLASK_APP ({where}) is {said!r}, and there is no module {module!r}",
                "Correct it, or take it out and let Kurama look.",
            )
        folder = _SOURCE_FOLDER
    if not name:
        candidates = _candidates(tree, folder, module)
        if not candidates:
            raise refuse(
                f"FLASK_APP ({where}) is {said!r}, and no app was found in that module",
                f"Name it: FLASK_APP={module}:app, or {module}:create_app().",
            )
        return EntryPoint(min(candidates, key=lambda one: one.rank).target, folder)
    if name in _FACTORIES:
        name += "()"
    return EntryPoint(f"{module}:{name}", folder)


def _modules(tree: Tree, folder: str) -> Iterator[str]:
    """The modules to look into, the likeliest first."""
    top = [
        name for name in tree.modules(folder) if name not in _NOT and not name.startswith("test")
    ]
    likely = [name for name in _LIKELY if name in top]
    yield from likely
    yield from (name for name in top if name not in likely and name.isidentifier())
    for package in tree.packages(folder):
        yield package
        inner = tree.modules(f"{folder}/{package}" if folder else package)
        yield from (f"{package}.{name}" for name in _INNER if name in inner)


def _candidates(tree: Tree, folder: str, module: str) -> list[_Candidate]:
    """The applications of one module."""
    name = _file(tree, folder, module)
    source = tree.source(name) if name else None
    if name is None or source is None:
        return []
    likely = module.split(".")[-1] in _LIKELY
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        if not likely:
            return []
        raise refuse(
            f"{name}, line {error.lineno}: {error.msg}",
            "Python can't read it. Does it run on your machine, with the same Python?",
        ) from None
    except (ValueError, RecursionError):
        return []
    objects, factories = _defined(body, likely=likely)
    position = _LIKELY.index(module) if module in _LIKELY else len(_LIKELY)
    depth = 100 * module.count(".") + (50 if "/" in name and not module.count(".") else 0)
    rank = depth + position
    found = [_Candidate(f"{module}:{one}", folder, rank) for one in objects]
    found += [_Candidate(f"{module}:{one}()", folder, rank + 10) for one in factories]
    return found


def _defined(body: list[ast.stmt], *, likely: bool) -> tuple[list[str], list[str]]:
    """The names of applications and of factories at a module's level."""
    objects: list[str] = []
    factories: list[str] = []
    for statement in _top_level(body):
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            made = _is_flask(statement.value)
            names = _assigned(statement)
            objects += [name for name in names if made or (likely and name in _NAMES)]
        elif isinstance(statement, ast.ImportFrom) and likely:
            imported = {alias.asname or alias.name for alias in statement.names}
            objects += [name for name in _NAMES if name in imported]
        elif isinstance(statement, ast.FunctionDef) and _is_factory(statement):
            factories.append(statement.name)
    ordered = sorted(dict.fromkeys(objects), key=lambda name: name not in _NAMES)
    return ordered[:1], factories[:1]


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, those under `if` and `try` included."""
    for statement in body:
        if isinstance(statement, ast.If):
            if not _is_main_guard(statement.test):
                yield from _top_level(statement.body)
            yield from _top_level(statement.orelse)
        elif isinstance(statement, ast.Try):
            yield from _top_level([*statement.body, *statement.orelse, *statement.finalbody])
            for handler in statement.handlers:
                yield from _top_level(handler.body)
        elif isinstance(statement, ast.With):
            yield from _top_level(statement.body)
        else:
            yield statement


def _is_main_guard(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
    )


def _assigned(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _is_flask(value: ast.expr | None) -> bool:
    """Whether an expression makes a Flask application: Flask(…), flask.Flask(…)."""
    if not isinstance(value, ast.Call):
        return False
    function = value.func
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    return name == "Flask"


def _is_factory(function: ast.FunctionDef) -> bool:
    """Whether it makes an application and can be called without arguments."""
    arguments = function.args
    needed = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return (
        function.name in _FACTORIES
        and needed == 0
        and all(default is not None for default in arguments.kw_defaults)
    )


def _file(tree: Tree, folder: str, module: str) -> str | None:
    path = f"{folder}/{module.replace('.', '/')}" if folder else module.replace(".", "/")
    for name in (f"{path}.py", f"{path}/__init__.py"):
        if tree.has(name):
            return name
    return None


def _exists(tree: Tree, folder: str, module: str) -> bool:
    return bool(module) and _file(tree, folder, module) is not None


def _nothing(looked: list[str]) -> Exception:
    where = ", ".join(looked[:12]) or "no module at all"
    return refuse(
        f"No Flask app was found. Looked for `app`, `application`, `create_app()` and `make_app()` "
        f"in: {where}",
        "Say it in a Procfile (web: gunicorn package.module:app), "
        "or with FLASK_APP=package.module:app in .flaskenv.",
    )
