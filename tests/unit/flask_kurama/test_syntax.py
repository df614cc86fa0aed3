"""The library runs on the oldest Python that it promises, and needs nothing but psutil."""

import ast
import sys
from pathlib import Path

import pytest

import flask_kurama

MODULES = sorted(Path(flask_kurama.__file__).parent.glob("*.py"))
# Flask is there where the extension is; psutil is the one dependency, and may be missing.
ALLOWED = {"flask", "werkzeug", "psutil", "flask_kurama", *sys.stdlib_module_names}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_python_3_9_can_read_it(path: Path) -> None:
    """Its grammar; and annotations are not evaluated, so that they may be newer."""
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert any(node.module == "__future__" for node in imports)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_it_imports_nothing_else(path: Path) -> None:
    """And the format's modules nothing but the standard library."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported <= ALLOWED
    if path.stem != "extension":
        assert not imported & {"flask", "werkzeug", "psutil"}
