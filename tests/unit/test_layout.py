"""The bounds on how the code is laid out, as CONTRIBUTING.md promises them."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "agent bench docs examples flask_kurama hooks kurama_cli requirements server tests".split()
)
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 50
# Names that say nothing of what is in a module.
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc", "base"}
# Files in `server/` run as programs, with their folder first on the path: these would shadow.
SHADOWING = "queue logging types secrets signal git docker nats yaml psycopg2 pydantic".split()


def python_files() -> Iterator[Path]:
    """Every Python file of the project, the hooks without a suffix among them."""
    yield from ROOT.glob("*.py")
    yield ROOT / "hooks" / "pre-receive"
    yield ROOT / "hooks" / "post-receive"
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            if not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
                yield path


FILES = sorted(python_files())


def name(path: Path) -> str:
    """A file as a test's name shows it."""
    return str(path.relative_to(ROOT))


@functools.cache
def parsed(path: Path) -> ast.Module:
    """A file's syntax."""
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a file with its number of lines, its decorators included."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - first + 1


def test_the_files_are_found() -> None:
    """The search sees all folders: a test over nothing would always pass."""
    found = {name(path) for path in FILES}
    assert {"reqsim.py", "hooks/ask.py", "agent/wire.py", "server/router/slots.py"} <= found
    assert len(found) > 150


def test_each_folder_with_code_is_looked_at() -> None:
    """A new folder can't stay outside of these bounds."""
    beside = [
        p for p in ROOT.iterdir() if p.is_dir() and p.name[0] != "." and p.name not in FOLDERS
    ]
    assert not [folder.name for folder in beside if list(folder.rglob("*.py"))]


def test_no_file_is_too_long() -> None:
    """At most 400 lines."""
    lengths = {name(path): len(path.read_text().splitlines()) for path in FILES}
    assert not {file: n for file, n in lengths.items() if n > MOST_LINES_OF_A_FILE}


def test_no_function_is_too_long() -> None:
    """At most 50 lines, its decorators included."""
    lengths = {f"{name(path)}:{of}": n for path in FILES for of, n in functions(path)}
    assert len(lengths) > 1000
    assert not {function: n for function, n in lengths.items() if n > MOST_LINES_OF_A_FUNCTION}


def test_each_module_is_named_for_its_noun() -> None:
    """No `utils`, no `helpers`: nobody would know what belongs there."""
    named = {name(path): path.relative_to(ROOT).with_suffix("").parts for path in FILES}
    assert not [file for file, parts in named.items() if VAGUE.intersection(parts)]


def test_each_module_says_what_lives_there() -> None:
    """Its docstring is the first thing in it; an empty file needs none."""
    assert not [name(path) for path in FILES if parsed(path).body and not _says(path)]


def _says(path: Path) -> str | None:
    return ast.get_docstring(parsed(path))


@pytest.mark.parametrize("module", SHADOWING)
def test_no_file_of_the_server_shadows_a_library(module: str) -> None:
    """`python3 server/ingest.py` puts `server/` before everything else."""
    assert not (ROOT / "server" / f"{module}.py").exists()
