"""Trees that somebody made to break things: each is refused or built, none is an internal error."""

import contextlib
import copy
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from agent.build.plan import BuildPlan
from agent.faults import Fault
from tests.unit.agent.build.test_sources import PIPFILE_LOCK, POETRY, PROJECT, UV_LOCK, package
from tests.unit.agent.build.trees import APP, plan, toml

# One part of a dotted key.
QUOTED = '"a b" . '
_ODD: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        1e308,
        "",
        " ",
        "\n",
        "\x1b[2J",
        "\ud7ff",
        "..",
        "/etc/passwd",
        "9" * 5000,
    ),
    *([], {}, [[]], [{}], {"": {}}, ["x", 1], {"x": [1]}, "^9999999999", "==1.*||", "a" * 100_000),
]
_POETRY_LOCK = {
    "package": [
        package("flask", dependencies={"werkzeug": ">=3"}, extras={"a": ["b (>=1)"]}),
        package("werkzeug", markers="python_version > '3'", python_versions=">=3", groups=["main"]),
        package("local", source={"type": "directory", "url": "lib"}, develop=True),
    ],
    "metadata": {"files": {}},
}
_MANIFEST = {
    **PROJECT,
    "build-system": {"requires": ["setuptools"]},
    "tool": {**POETRY["tool"], "uv": {"sources": {"x": {"path": "lib"}}, "package": True}},
}


def _mutants(document: Any, seed: int, count: int) -> list[Any]:
    """Copies of a document, each with one place of it replaced by something odd."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        mutant = copy.deepcopy(document)
        place, key = mutant, chance.choice(list(mutant))
        while isinstance(place[key], (dict, list)) and place[key] and chance.random() < 0.8:
            place = place[key]
            key = (
                chance.choice(list(place))
                if isinstance(place, dict)
                else chance.randrange(len(place))
            )
        place[key] = chance.choice(_ODD)
        made.append(mutant)
    return made


def _built_or_refused(folder: Path, files: dict[str, str | bytes]) -> BuildPlan | None:
    """The plan, or None after a refusal that can be printed."""
    refusals = []
    try:
        return plan(folder, files)
    except Fault as refused:
        refusals.append(refused)
    for refusal in refusals:
        assert refusal.hint
        assert "\x1b" not in refusal.message
        assert len(refusal.message) < 3000
    return None


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("uv.lock", UV_LOCK),
        ("poetry.lock", _POETRY_LOCK),
        ("Pipfile.lock", json.loads(PIPFILE_LOCK)),
        ("pyproject.toml", _MANIFEST),
        ("Pipfile", {"packages": {"flask": "*"}, "requires": {"python_version": "3.11"}}),
    ],
)
def test_a_wrong_value_anywhere(tmp_path: Path, name: str, document: Any) -> None:
    """In any place of any packaging file."""
    base = {"app.py": APP, "lib/setup.py": "", "pyproject.toml": toml(_MANIFEST)}
    refused = 0
    for mutant in _mutants(document, seed=7, count=60):
        text = json.dumps(mutant) if name == "Pipfile.lock" else toml(_without_none(mutant))
        refused += _built_or_refused(tmp_path, {**base, name: text}) is None
    assert 0 < refused < 60 or name == "Pipfile"


def _without_none(value: Any) -> Any:
    """TOML has no null."""
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_none(one) for one in value if one is not None]
    return value


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("uv.lock", "a = " + "[" * 5000),
        ("Pipfile.lock", "[" * 100_000),
        ("poetry.lock", "a." * 20_000 + "b = 1"),
        ("app.py", "(" * 5000),
        ("app.py", "x = " + "-" * 50_000 + "1"),
        ("app.py", "\0"),
        ("app.py", "# -*- coding: rot13 -*-\n"),
        ("app.py", b"\xff\xfe\x00"),
        ("Pipfile.lock", r'{"default": {"flask": {"version": "==3\ud800"}}}'),
        ("Pipfile.lock", r'{"_meta": {"hash": "\ud800"}, "default": {}}'),
        ("Pipfile.lock", r'{"default": {"fla\ud800sk": {"version": "==3"}}}'),
        (
            "Pipfile.lock",
            r'{"_meta": {"sources": [{"name": "\n", "url": "\ud800"}]}, "default": {}}',
        ),
        ("requirements.txt", "-r requirements.txt\n-c requirements.txt\n"),
        ("requirements.txt", "".join(f"-r {n}.txt\n" for n in range(60))),
        ("requirements.txt", "flask\\\n" * 10_000),
        ("requirements.txt", "x" * 6_000_000),
        ("requirements.txt", "flask\\\n" * 500_000),
        ("requirements.txt", "./a" + " " * 200_000 + "b\n"),
        ("requirements.txt", "./a" + "[" * 200_000 + "b\n"),
        ("requirements.txt", "-e " + "./a #" * 100_000),
        ("pyproject.toml", "".join(f"a{n}{'.a' * 400} = 1\n" for n in range(3000))),
        ("pyproject.toml", "".join(f"a{n}{chr(46)}{QUOTED * 400}b = 1\n" for n in range(1000))),
        ("pyproject.toml", "[project]\ndependencies = ['x; " + "(" * 30_000 + "']\n"),
        (".flaskenv", "FLASK_APP=${FLASK_APP}\n"),
        (".flaskenv", "FLASK_APP=../../etc/passwd:x\n"),
        (".python-version", "9" * 10_000),
        (".python-version", ">=3.11,<" + "9" * 5000),
        ("runtime.txt", "python-3.11.9\x1b[2J"),
        ("setup.cfg", "[options]\npython_requires = %(x)s\ninstall_requires = file: /etc/passwd\n"),
        ("setup.cfg", "no section\n"),
        ("Procfile", "web: x\n" + "y" * 100_000),
    ],
)
def test_a_hostile_file(tmp_path: Path, name: str, content: str | bytes) -> None:
    """Nesting, cycles, sizes, encodings, and paths that lead out."""
    files = {f"{n}.txt": "" for n in range(60)} | {"app.py": APP, "pyproject.toml": toml(PROJECT)}
    _built_or_refused(tmp_path, {**files, name: content})


@pytest.mark.parametrize(
    "name", ["app.py", "requirements.txt", "pyproject.toml", "Procfile", "src"]
)
def test_a_link_out_of_the_tree_is_not_followed(tmp_path: Path, name: str) -> None:
    """Nothing of the worker's own files is read."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("flask==0.0.secret\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / name).symlink_to(secret if name == "src" else secret / "file")
    files = {"app.py": APP, "requirements.txt": "flask"}
    files.pop(name, None)
    with contextlib.suppress(Fault):
        found = plan(tree, dict(files))
        assert "secret" not in repr(found)


def test_odd_things_in_the_tree(tmp_path: Path) -> None:
    """A pipe, a loop of links, a name that is no text: looked past."""
    os.mkfifo(tmp_path / "main.py")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "circle").symlink_to(".")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.py")).write_text("x = 1")
    found = plan(tmp_path, {"app.py": APP, "requirements.txt": "flask"})
    assert found.processes["web"].endswith(" app:app")


def test_more_code_than_anybody_writes(tmp_path: Path) -> None:
    """It is not all read to look for the application, so that nobody else has to wait."""
    large = {f"a{n:02}/app.py": "# Flask\n" * 20_000 for n in range(20)}
    files = {**large, "z/app.py": APP, "requirements.txt": "flask"}
    with pytest.raises(Fault, match="No Flask app was found"):
        plan(tmp_path, files)
    assert plan(tmp_path, {**files, ".flaskenv": "FLASK_APP=z.app"})
