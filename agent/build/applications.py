"""Reads one module's syntax tree for the Flask applications that it makes."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

NAMES = ("app", "application")
FACTORIES = ("create_app", "make_app")
# What a usual name can stand for and be no application; None is a name that is only announced.
_NO_APPLICATION = (ast.Constant, ast.Dict, ast.List, ast.Set, ast.Tuple, type(None))


class Unreadable(Exception):
    """Python can't read the module: `what` is wrong in `line`. The caller knows the `file`."""

    file = ""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what


@dataclass(frozen=True, slots=True)
class Applications:
    """Names at a module's level, the usual ones first."""

    objects: list[str]
    factories: list[str]


def applications(source: str, *, likely: bool) -> Applications:
    """What the module with this text makes; in a `likely` one names alone count too.

    Raises Unreadable.
    """
    try:
        statements = list(_top_level(ast.parse(source).body))
    except SyntaxError as error:
        raise Unreadable(error.lineno or 1, error.msg) from None
    except (ValueError, RecursionError, MemoryError):
        raise Unreadable(1, "too deeply nested, or no text") from None
    objects: list[str] = []
    factories: list[str] = []
    for statement in statements:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            made = _is_flask(statement.value)
            may_be = likely and not isinstance(statement.value, _NO_APPLICATION)
            objects += [name for name in _assigned(statement) if made or (may_be and name in NAMES)]
        elif isinstance(statement, ast.ImportFrom) and likely:
            imported = {alias.asname or alias.name for alias in statement.names}
            objects += [name for name in NAMES if name in imported]
        elif isinstance(statement, ast.FunctionDef) and _is_factory(statement):
            factories.append(statement.name)
    usual_first = sorted(dict.fromkeys(objects), key=lambda name: name not in NAMES)
    return Applications(usual_first, factories)


def is_callable(text: str) -> bool:
    """Whether it is what gunicorn takes behind the colon: a name, or a call of one."""
    try:
        expression = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    called = expression.func if isinstance(expression, ast.Call) else expression
    return isinstance(called, ast.Name) and text.isprintable()


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
        function.name in FACTORIES
        and needed == 0
        and all(default is not None for default in arguments.kw_defaults)
    )
