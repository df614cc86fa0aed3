"""poetry.lock: what of it is installed, in both of its formats."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.build.plan import BuildPlan
from agent.faults import Fault
from tests.unit.agent.build.test_sources import package, poetry_lock
from tests.unit.agent.build.trees import APP, plan, toml


def manifest(**dependencies: Any) -> str:
    """A pyproject.toml of Poetry's own kind."""
    own = {"name": "shop", "dependencies": {"python": "^3.11", **dependencies}}
    return toml({"tool": {"poetry": own}})


def lines(found: BuildPlan) -> list[str]:
    """The requirements that were generated, without their hashes."""
    return [line.partition(" --hash")[0] for line in found.files["requirements.txt"].splitlines()]


def locked(folder: Path, lock: str, **dependencies: Any) -> list[str]:
    """What is installed of a lock for these dependencies."""
    files = {"app.py": APP, "pyproject.toml": manifest(**dependencies), "poetry.lock": lock}
    return lines(plan(folder, files))


PSYCOPG = package(
    "psycopg",
    dependencies={
        "psycopg-binary": {
            "version": "3.9",
            "optional": True,
            "markers": 'implementation_name != "pypy" and extra == "binary"',
        },
        "psycopg-c": {"version": "3.9", "optional": True, "markers": 'extra == "c"'},
    },
    extras={"binary": ["psycopg-binary (==3.9)"], "C": ["psycopg-c (==3.9) ; os_name != 'nt'"]},
)


@pytest.mark.parametrize(
    ("extras", "expected"),
    [
        ([], ["psycopg==3.9"]),
        (["binary"], ["psycopg==3.9", "psycopg-binary==3.9"]),
        (["Binary", "c"], ["psycopg==3.9", "psycopg-binary==3.9", "psycopg-c==3.9"]),
    ],
)
def test_extras_bring_what_their_markers_name(
    tmp_path: Path, extras: list[str], expected: list[str]
) -> None:
    """As 1.8 writes psycopg[binary]: optional, and under a marker that names the extra."""
    lock = poetry_lock(PSYCOPG, package("psycopg-binary"), package("psycopg-c"))
    assert locked(tmp_path, lock, psycopg={"version": "^3", "extras": extras}) == expected


def test_an_extra_that_is_asked_for_later_counts_too(tmp_path: Path) -> None:
    """One package asks for psycopg, and another for psycopg[c]; they need each other."""
    lock = poetry_lock(
        PSYCOPG,
        package("psycopg-c"),
        package("psycopg-binary"),
        package("one", dependencies={"psycopg": "*", "two": "*"}),
        package("two", dependencies={"psycopg": {"version": "*", "extras": ["c"]}, "one": "*"}),
    )
    expected = ["one==3.9", "psycopg==3.9", "psycopg-c==3.9", "two==3.9"]
    assert locked(tmp_path, lock, one="*") == expected


def test_of_two_versions_the_one_for_this_python(tmp_path: Path) -> None:
    """Both would run on this Python; what asks for them says which is meant."""
    old, new = {"version": "1.24", "python": "<3.12"}, {"version": "1.26", "python": ">=3.12"}
    lock = poetry_lock(package("numpy") | {"version": "1.24"}, package("numpy", version="1.26"))
    assert locked(tmp_path, lock, numpy=[old, new]) == ["numpy==1.26"]


@pytest.mark.parametrize(
    ("wish", "fresh"),
    [
        ("^3.1", True),
        ("~3.9", True),
        (">=2,<3 || ^3.9", True),
        ("3.*", True),
        ({"git": "https://git.example/flask.git"}, True),
        ("^4", False),
        ("~3.8", False),
        ("<3.9", False),
    ],
)
def test_a_constraint_that_the_lock_does_not_meet(tmp_path: Path, wish: Any, fresh: bool) -> None:
    """pyproject.toml was changed, and `poetry lock` not run."""
    if fresh:
        assert locked(tmp_path, poetry_lock(package("flask")), flask=wish) == ["flask==3.9"]
        return
    with pytest.raises(Fault, match=r"poetry.lock was made before pyproject.toml .*\(flask\)"):
        locked(tmp_path, poetry_lock(package("flask")), flask=wish)


@pytest.mark.parametrize(
    "marker",
    ["'x' in extras", "nonsense", "os_name ~= 'posix'", "(" * 3000 + "os_name == 'a'", "os_name <"],
)
def test_a_marker_that_cannot_be_read(tmp_path: Path, marker: str) -> None:
    """It is no reason to leave a package out."""
    lock = poetry_lock(package("flask", markers=marker, groups=["main"]))
    assert locked(tmp_path, lock, flask="*") == ["flask==3.9"]


@pytest.mark.parametrize(
    ("source", "develop", "line"),
    [
        ({"type": "directory", "url": "my lib"}, True, "-e file://{tree}/my%20lib"),
        ({"type": "directory", "url": "my lib"}, False, "lib @ file://{tree}/my%20lib"),
        ({"type": "file", "url": "lib.whl"}, False, "lib @ file://{tree}/lib.whl"),
        (
            {
                "type": "git",
                "url": "https://git.example/lib.git",
                "reference": "main",
                "resolved_reference": "0123abc",
                "subdirectory": "python",
            },
            False,
            "lib @ git+https://git.example/lib.git@0123abc#subdirectory=python",
        ),
        ({"type": "url", "url": "https://x.example/l.whl"}, False, "lib @ https://x.example/l.whl"),
    ],
)
def test_where_a_package_comes_from(
    tmp_path: Path, source: dict[str, str], develop: bool, line: str
) -> None:
    """The tree, a repository, a file elsewhere."""
    (tmp_path / "my lib").mkdir()
    (tmp_path / "lib.whl").touch()
    lock = poetry_lock(package("lib", source=source, develop=develop))
    assert locked(tmp_path, lock, lib="*") == [line]


def test_an_index_of_its_own(tmp_path: Path) -> None:
    """Is asked beside the worker's; versions are pinned and hashed, so any may have them."""
    own = {"type": "legacy", "url": "https://packages.example/simple", "reference": "own"}
    files = {
        "app.py": APP,
        "pyproject.toml": manifest(flask="*", lib="*"),
        "poetry.lock": poetry_lock(package("flask"), package("lib", source=own)),
    }
    found = plan(tmp_path, files)
    index = "--extra-index-url https://packages.example/simple"
    assert lines(found) == [index, "flask==3.9", "lib==3.9"]
    assert "unsafe-best-match" in found.steps[0].argv


def test_hashes_of_the_first_formats(tmp_path: Path) -> None:
    """They stand apart from the packages."""
    lock = toml(
        {
            "package": [{"name": "flask", "version": "3.9"}],
            "metadata": {"files": {"flask": [{"file": "f.whl", "hash": "sha256:" + "1" * 64}]}},
        }
    )
    files = {"app.py": APP, "pyproject.toml": manifest(flask="*"), "poetry.lock": lock}
    text = plan(tmp_path, files).files["requirements.txt"]
    assert text == f"flask==3.9 --hash=sha256:{'1' * 64}\n"


@pytest.mark.parametrize("written", ["1.0\n-r /etc/passwd", "1.0\r-e ."])
def test_no_line_is_smuggled_in(tmp_path: Path, written: str) -> None:
    """A version is part of a line, whatever is in it."""
    lock = poetry_lock(package("flask", version=written))
    assert json.dumps(written) in lock
    with pytest.raises(Fault, match="line break"):
        locked(tmp_path, lock, flask="*")


def test_the_project_itself_is_installed_where_it_is_a_package(tmp_path: Path) -> None:
    """With a build system and a package of its name; its dependencies are there already."""
    own = {"name": "my-shop", "dependencies": {"python": "^3.11", "flask": "*"}}
    described = {"tool": {"poetry": own}, "build-system": {"requires": ["poetry-core"]}}
    files = {
        "src/my_shop/__init__.py": APP,
        "pyproject.toml": toml(described),
        "poetry.lock": poetry_lock(package("flask")),
    }
    found = plan(tmp_path, files)
    assert found.steps[1].argv[-3:] == ("--editable", ".", "--no-deps")
    assert found.pythonpath == ()
    assert "my_shop:app" in found.processes["web"]
