"""Which file decides what is installed, and what is installed for it."""

import json
from pathlib import Path

import pytest

from agent.build.plan import BuildPlan
from agent.faults import Fault, FaultCode
from tests.unit.agent.build.trees import APP, plan, toml

PROJECT = {"project": {"name": "shop", "version": "1", "dependencies": ["flask>=3"]}}
UV_LOCK = {
    "version": 1,
    "requires-python": ">=3.11",
    "package": [
        {
            "name": "shop",
            "version": "1",
            "source": {"virtual": "."},
            "metadata": {"requires-dist": [{"name": "flask", "specifier": ">=3"}]},
        },
        {"name": "flask", "version": "3.1.0", "source": {"registry": "https://packages.example"}},
    ],
}
HASH = "sha256:" + "0" * 64
PIPFILE_LOCK = json.dumps(
    {"_meta": {"hash": {}}, "default": {"flask": {"version": "==3.1.0", "hashes": [HASH]}}}
)
POETRY = {"tool": {"poetry": {"name": "shop", "dependencies": {"python": "^3.11", "flask": "^3"}}}}


def poetry_lock(*packages: dict[str, object]) -> str:
    """A poetry.lock with these packages."""
    return toml({"package": list(packages), "metadata": {"lock-version": "2.1"}})


def package(name: str, **more: object) -> dict[str, object]:
    """One of its packages."""
    return {"name": name, "version": "3.9", "files": [{"file": f"{name}.whl", "hash": HASH}]} | {
        key.replace("_", "-"): value for key, value in more.items()
    }


def installs(found: BuildPlan) -> list[str]:
    """The names in the requirements that were generated."""
    lines = found.files["requirements.txt"].splitlines()
    return [line.partition("==")[0].partition(" ")[0] for line in lines]


@pytest.mark.parametrize(
    ("files", "source", "words"),
    [
        ({"requirements.txt": "flask\n"}, "requirements.txt", "pip install --requirement"),
        ({"pyproject.toml": toml(PROJECT)}, "pyproject.toml", "--requirement pyproject.toml"),
        (
            {"pyproject.toml": toml({**PROJECT, "build-system": {"requires": []}})},
            "pyproject.toml",
            "--editable .",
        ),
        (
            {"pyproject.toml": toml(PROJECT), "uv.lock": toml(UV_LOCK)},
            "uv.lock",
            "sync --frozen --no-dev",
        ),
        (
            {"pyproject.toml": toml(POETRY), "poetry.lock": poetry_lock(package("flask"))},
            "poetry.lock",
            "--no-deps",
        ),
        ({"Pipfile.lock": PIPFILE_LOCK}, "Pipfile.lock", "--no-deps"),
        (
            {
                "setup.cfg": "[options]\ninstall_requires = flask\n",
                "pyproject.toml": toml({"build-system": {"requires": ["setuptools"]}}),
            },
            "setup.cfg",
            "--editable .",
        ),
        ({"setup.py": "from setuptools import setup\nsetup()\n"}, "setup.py", "--editable ."),
        ({"setup.cfg": "[options]\ninstall_requires =\n  flask\n"}, "setup.cfg", "--requirement"),
    ],
)
def test_each_kind_is_installed(
    tmp_path: Path, files: dict[str, str], source: str, words: str
) -> None:
    """Every file that can say what an app needs decides where it is alone."""
    found = plan(tmp_path, {"app.py": APP, **files})
    assert found.source == source
    assert words in " ".join(found.steps[0].argv)
    assert found.python_version == "3.13.1"


def test_the_most_exact_file_decides_and_that_is_said(tmp_path: Path) -> None:
    """A lockfile before a list, uv's before the others."""
    files = {
        "app.py": APP,
        "pyproject.toml": toml(PROJECT),
        "requirements.txt": "flask\n",
        "Pipfile.lock": PIPFILE_LOCK,
        "uv.lock": toml(UV_LOCK),
    }
    found = plan(tmp_path, files)
    assert found.source == "uv.lock"
    (note,) = [note for note in found.notes if "most exact" in note]
    assert note.startswith("uv.lock, Pipfile.lock and requirements.txt are there")


@pytest.mark.parametrize(
    ("dependencies", "named"),
    [(["flask>=3", "redis"], "redis"), (["flask>=4"], "flask"), ([], "flask")],
)
def test_a_stale_uv_lock_is_refused(tmp_path: Path, dependencies: list[str], named: str) -> None:
    """With what differs, and what to run."""
    project = {"project": {**PROJECT["project"], "dependencies": dependencies}}
    files = {"app.py": APP, "pyproject.toml": toml(project), "uv.lock": toml(UV_LOCK)}
    with pytest.raises(Fault, match=rf"uv.lock was made before .*\({named}\)") as refused:
        plan(tmp_path, files)
    assert "uv lock" in refused.value.hint


def test_poetrys_groups_decide_what_is_installed(tmp_path: Path) -> None:
    """Since format 2.1 each package says which groups need it, and under which conditions."""
    lock = poetry_lock(
        package("flask", groups=["main"]),
        package("pytest", groups=["dev"]),
        package("both", groups=["main", "dev"], markers={"main": "python_version > '3.0'"}),
        package("old", groups=["main"], markers="python_version < '3.0'"),
        package("narrow", groups=["main"], python_versions=">=3.6,<3.9"),
        package("extra", groups=["main"], optional=True, markers='extra == "x"'),
    )
    found = plan(tmp_path, {"app.py": APP, "pyproject.toml": toml(POETRY), "poetry.lock": lock})
    assert installs(found) == ["both", "flask"]


def test_poetrys_older_locks_are_followed(tmp_path: Path) -> None:
    """From what pyproject.toml names through what each needs, with the extras asked for."""
    manifest = {
        "tool": {
            "poetry": {
                "dependencies": {
                    "python": "^3.11",
                    "Flask": {"version": "^3", "extras": ["async"]},
                    "maybe": {"version": "*", "optional": True},
                    "elsewhere": {"version": "*", "markers": "sys_platform == 'win32'"},
                }
            }
        }
    }
    lock = poetry_lock(
        package(
            "flask",
            dependencies={
                "werkzeug": ">=3",
                "asgiref": {"version": ">=3.2", "optional": True},
                "python-dotenv": {"version": "*", "optional": True},
                "colorama": {"version": "*", "markers": "sys_platform == 'win32'"},
            },
            extras={"async": ["asgiref (>=3.2)"], "dotenv": ["python-dotenv"]},
        ),
        package("werkzeug", dependencies={"MarkupSafe": ">=2"}),
        *(package(name) for name in ("markupsafe", "asgiref", "python-dotenv", "colorama")),
        *(package(name) for name in ("maybe", "elsewhere", "pytest")),
    )
    found = plan(tmp_path, {"app.py": APP, "pyproject.toml": toml(manifest), "poetry.lock": lock})
    assert installs(found) == ["asgiref", "flask", "markupsafe", "werkzeug"]
    assert f"flask==3.9 --hash={HASH}" in found.files["requirements.txt"]


def test_a_stale_poetry_lock_is_refused(tmp_path: Path) -> None:
    """A dependency that the lock hasn't got."""
    files = {"app.py": APP, "pyproject.toml": toml(POETRY), "poetry.lock": poetry_lock()}
    with pytest.raises(Fault, match=r"poetry.lock was made before .*\(flask\)"):
        plan(tmp_path, files)


def test_a_stale_pipfile_lock_is_noted(tmp_path: Path) -> None:
    """Pipenv itself installs from it all the same."""
    lock = PIPFILE_LOCK.replace('"hash": {}', '"hash": {"sha256": "0"}')
    files = {"app.py": APP, "Pipfile": '[packages]\nflask = "*"\n', "Pipfile.lock": lock}
    assert any("another Pipfile" in note for note in plan(tmp_path, files).notes)


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        (
            {"requirments.txt": "flask"},
            "requirments.txt is there, but no requirements.txt",
            "git mv",
        ),
        ({"Requirements.txt": "flask"}, "Requirements.txt is there", "git mv"),
        ({"Pipfile": ""}, "no Pipfile.lock", "pipenv lock"),
        ({"environment.yml": ""}, "conda", "requirements.txt"),
        ({"setup.cfg": "[flake8]\nmax-line-length = 100\n"}, "Nothing says", "requirements.txt"),
        ({"pyproject.toml": "[tool.black]\n"}, "Nothing says", "requirements.txt"),
        ({"pyproject.toml": toml(POETRY)}, "no poetry.lock", "poetry lock"),
        ({"uv.lock": toml(UV_LOCK)}, "no pyproject.toml", "pyproject.toml"),
        ({"requirements.txt": "-r base.txt"}, "line 1: base.txt is not in", "Commit"),
        ({"requirements.txt": "flask\n./lib"}, "line 2: ./lib is not in", "committed"),
        ({"requirements.txt": "../lib"}, "line 1: ../lib is not in", "committed"),
        ({"requirements.txt": "\ufefffl\0ask"}, "NUL", "Take it out"),
        ({"requirements.txt": "flask".encode("utf-16")}, "UTF-16", "UTF-8"),
        ({"requirements.txt": b"fl\xffask"}, "line 1: this is not UTF-8", "UTF-8"),
        ({"requirements.txt": "<<<<<<< HEAD\n"}, "merge conflict", "Resolve"),
        ({"venv/pyvenv.cfg": "", "requirements.txt": ""}, "venv/ is a virtual", "git rm"),
        ({"requirements.txt": "", "Procfile": "worker: x"}, "no `web` process", "web: gunicorn"),
        ({"requirements.txt": "", "procfile": "web: x"}, "but no Procfile", "git mv"),
        ({"requirements.txt": "", ".python-version": "3.14"}, "3.14", "3.13"),
        ({"requirements.txt": "", "runtime.txt": "python-2.7.18"}, "2.7.18", "3.13"),
        ({"requirements.txt": "", ".python-version": "pypy3.10"}, "CPython", "3.12"),
        ({"pyproject.toml": "[project\n"}, "pyproject.toml: ", "TOML"),
    ],
)
def test_what_is_refused_says_what_to_do(
    tmp_path: Path, files: dict[str, str | bytes], message: str, hint: str
) -> None:
    """What was found, in which file, and what to write."""
    with pytest.raises(Fault) as refused:
        plan(tmp_path, {"app.py": APP, **files})
    assert refused.value.code is FaultCode.PREFLIGHT_FAILED
    assert message in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({".python-version": "3.11\n"}, "3.11.9"),
        ({".python-version": "# ours\n\n3.11.2\n"}, "3.11.9"),
        ({"runtime.txt": "python-3.11.4"}, "3.11.9"),
        ({"pyproject.toml": toml({"project": {"requires-python": "<3.12"}})}, "3.11.9"),
        ({"Pipfile": '[requires]\npython_version = "3.11"\n'}, "3.11.9"),
        ({"setup.cfg": "[options]\npython_requires = ~=3.11.0\n"}, "3.11.9"),
        ({".python-version": "system"}, "3.13.1"),
        ({}, "3.13.1"),
    ],
)
def test_the_python_that_is_asked_for(tmp_path: Path, files: dict[str, str], version: str) -> None:
    """A patch version that isn't there gives way to another, and that is said."""
    found = plan(tmp_path, {"app.py": APP, "requirements.txt": "flask", **files})
    assert found.python_version == version
    exact = any("3.11.2" in text or "3.11.4" in text for text in files.values())
    assert any("this worker has" in note for note in found.notes) == exact


def test_only_what_decides_an_installation_changes_its_fingerprint(tmp_path: Path) -> None:
    """Code doesn't; a requirement, an included file, a local package and the Python do."""
    files = {
        "app.py": APP,
        "requirements.txt": "-r base.txt\n./lib\n-e ./edit\n",
        "base.txt": "flask\n",
        "lib/setup.py": "",
        "lib/lib.py": "",
        "edit/setup.py": "",
        "edit/edit.py": "",
    }
    first = plan(tmp_path, files).fingerprint
    for name in ("app.py", "README.md", "edit/edit.py"):
        assert plan(tmp_path, {name: f"# changed\n{APP}"}).fingerprint == first, name
    seen = {first}
    for name in ("base.txt", "lib/lib.py", "edit/setup.py", ".python-version"):
        found = plan(tmp_path, {name: "3.11"}).fingerprint
        assert found not in seen, name
        seen.add(found)
