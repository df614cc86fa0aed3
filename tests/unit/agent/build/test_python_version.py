"""Which Python an app gets, of a worker's 3.13.1 and 3.11.9."""

from pathlib import Path

import pytest

from agent.faults import Fault
from tests.unit.agent.build.trees import APP, plan, toml

BASE = {"app.py": APP, "requirements.txt": "flask\n"}


def poetry(said: str) -> str:
    """A pyproject.toml that wants this Python in Poetry's words."""
    return toml({"tool": {"poetry": {"dependencies": {"python": said}}}})


def project(said: str) -> str:
    """A pyproject.toml that wants it in the standard's."""
    return toml({"project": {"name": "shop", "requires-python": said}})


@pytest.mark.parametrize(
    ("file", "said", "version"),
    [
        (".python-version", "3", "3.13.1"),
        (".python-version", "3.11", "3.11.9"),
        (".python-version", "\ufeff# ours\r\n\r\n3.11 # since May\r\n3.13\r\n", "3.11.9"),
        (".python-version", "v3.11", "3.11.9"),
        (".python-version", "3.11.x", "3.11.9"),
        (".python-version", "3.11-dev", "3.11.9"),
        (".python-version", "cpython-3.11.9-linux-x86_64-gnu", "3.11.9"),
        (".python-version", ">=3.11,<3.12", "3.11.9"),
        (".python-version", "system", "3.13.1"),
        (".python-version", "", "3.13.1"),
        ("runtime.txt", "python-3.11.9\n", "3.11.9"),
        ("runtime.txt", "python-3.11", "3.11.9"),
        ("Pipfile", "[requires]\npython_version = '3.11'\n", "3.11.9"),
        ("Pipfile", "[requires]\npython_version = '3'\npython_full_version = '3.11.9'", "3.11.9"),
        ("Pipfile", "[requires]\npython_version = '*'\n", "3.13.1"),
        ("pyproject.toml", project(">=3.9, !=3.13.*"), "3.11.9"),
        ("pyproject.toml", project("~=3.11.0"), "3.11.9"),
        ("pyproject.toml", poetry("^3.11"), "3.13.1"),
        ("pyproject.toml", poetry("~3.11"), "3.11.9"),
        ("pyproject.toml", poetry("3.11"), "3.11.9"),
        ("pyproject.toml", poetry("<3 || >=3.10 <3.12"), "3.11.9"),
        ("pyproject.toml", poetry("*"), "3.13.1"),
        ("setup.cfg", "[options]\npython_requires = <3.12\n", "3.11.9"),
        ("uv.lock", 'requires-python = "<3.12"\n[[package]]\nname = "shop"\n', "3.11.9"),
    ],
)
def test_the_newest_that_is_asked_for(tmp_path: Path, file: str, said: str, version: str) -> None:
    """Each file in its own notation; the first line that says anything counts."""
    files = {**BASE, file: said}
    if file == "uv.lock":
        files["pyproject.toml"] = toml({"project": {"name": "shop"}})
    found = plan(tmp_path, files)
    assert found.python_version == version
    assert not [note for note in found.notes if "Python" in note]


def test_another_patch_version_will_do(tmp_path: Path) -> None:
    """And that is said, with what there is."""
    found = plan(tmp_path, {**BASE, ".python-version": "3.11.4"})
    assert found.python_version == "3.11.9"
    said = ".python-version, line 1 asks for Python 3.11.4; this worker has 3.11.9."
    assert said in found.notes


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        (
            {".python-version": "3.12\n"},
            ".python-version, line 1 asks for Python 3.12, which this worker hasn't got",
            "It has 3.13.1, 3.11.9. Write 3.13, say, into .python-version",
        ),
        (
            {"pyproject.toml": project(">=3.14")},
            "pyproject.toml asks for Python >=3.14",
            "Write >=3.13, say, into pyproject.toml",
        ),
        (
            {".python-version": "3.13", "pyproject.toml": project("<3.12")},
            "line 1 asks for Python 3.13 and pyproject.toml asks for Python <3.12: no Python here",
            "Make them agree",
        ),
        (
            {"runtime.txt": "pypy3.10-7.3"},
            "runtime.txt, line 1: 'pypy3.10-7.3' is not CPython",
            "3.12",
        ),
        ({".python-version": "latest"}, "'latest' is no Python version", "Write 3.12, say."),
        ({"pyproject.toml": project("3.11 or so")}, "doesn't say which Pythons", ">=3.11"),
        ({"pyproject.toml": poetry("^banana")}, "doesn't say which Pythons", "^3.11"),
        ({"pyproject.toml": project(">=" + "9" * 5000)}, "doesn't say which Pythons", ">=3.11"),
    ],
)
def test_what_cannot_be_had(tmp_path: Path, files: dict[str, str], message: str, hint: str) -> None:
    """What was found and where, what there is, and what to write into which file."""
    with pytest.raises(Fault) as refused:
        plan(tmp_path, {**BASE, **files})
    assert message in refused.value.message
    assert hint in refused.value.hint
