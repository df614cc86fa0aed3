"""Pipfile.lock, as lines that uv can install."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.faults import Fault
from tests.unit.agent.build.trees import APP, plan

HASH = "sha256:" + "0" * 64


def lines(folder: Path, entry: Any, sources: Any = ()) -> list[str]:
    """What is installed of a lock with one entry, for `lib`."""
    (folder / "my lib").mkdir()
    (folder / "lib.whl").touch()
    lock = {"_meta": {"sources": list(sources)}, "default": {"lib": entry}, "develop": {"x": {}}}
    found = plan(folder, {"app.py": APP, "Pipfile.lock": json.dumps(lock)})
    assert found.steps[0].argv[:4] == ("uv", "pip", "install", "--no-deps")
    return found.files["requirements.txt"].splitlines()


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"version": "==1.0", "hashes": [HASH]}, f"lib==1.0 --hash={HASH}"),
        (
            {"version": "==1.0", "extras": ["a", "b"], "markers": "python_version >= '3.9'"},
            "lib[a,b]==1.0 ; python_version >= '3.9'",
        ),
        ({"path": "my lib"}, "lib @ file://{tree}/my%20lib"),
        ({"path": "./my lib", "editable": True}, "-e file://{tree}/my%20lib"),
        ({"file": "lib.whl"}, "lib @ file://{tree}/lib.whl"),
        ({"file": "https://files.example/l.whl"}, "lib @ https://files.example/l.whl"),
        (
            {"git": "https://git.example/lib.git", "ref": "0123abc", "subdirectory": "python"},
            "lib @ git+https://git.example/lib.git@0123abc#subdirectory=python",
        ),
    ],
)
def test_where_a_package_comes_from(tmp_path: Path, entry: Any, line: str) -> None:
    """An index, the tree, a file elsewhere, a repository; `develop` is left out."""
    assert lines(tmp_path, entry) == [line]


def test_an_index_of_its_own(tmp_path: Path) -> None:
    """Beside everybody's, of which the worker knows where it has it."""
    sources = [
        {"name": "pypi", "url": "https://packages.example/everybody", "verify_ssl": True},
        {"name": "own", "url": "https://packages.example/own", "verify_ssl": True},
    ]
    found = lines(tmp_path, {"version": "==1.0", "index": "own"}, sources)
    assert found == ["--extra-index-url https://packages.example/own", "lib==1.0"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"path": "../lib"}, "Pipfile.lock, lib: ../lib is not in the repository"),
        ({"hg": "https://hg.example/lib"}, "lib comes from a repository that isn't git's"),
        ({"version": "==1.0\n--index-url https://x.example"}, "has a line break"),
        ({"version": 1}, "Expected `str`, got `int`"),
        ("==1.0", "Expected `table`, got `str`"),
    ],
)
def test_what_cannot_be_installed(tmp_path: Path, entry: Any, message: str) -> None:
    """It is refused with the package's name, or the place."""
    with pytest.raises(Fault) as refused:
        lines(tmp_path, entry)
    assert message in refused.value.message
