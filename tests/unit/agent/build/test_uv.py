"""uv.lock beside a pyproject.toml that may have changed since, and packages in the tree."""

from pathlib import Path
from typing import Any

import pytest

from agent.build.plan import BuildPlan
from agent.faults import Fault
from tests.unit.agent.build.trees import APP, plan, toml


def locked(
    folder: Path, dependencies: list[str], known: list[dict[str, Any]], **more: Any
) -> BuildPlan:
    """The plan of a project with these dependencies, locked when it had those that are known."""
    project = {"name": "Shop", "version": "1", "dependencies": dependencies}
    own = {"name": "shop", "source": {"virtual": "."}, "metadata": {"requires-dist": known}}
    lock = {"version": 1, "package": [own, *more.get("packages", ())]}
    manifest = {"project": project, "tool": {"uv": {"sources": more.get("sources", {})}}}
    files = {"app.py": APP, "pyproject.toml": toml(manifest), "uv.lock": toml(lock)}
    return plan(folder, files)


FLASK = {"name": "flask", "specifier": ">=3.0,<4"}


@pytest.mark.parametrize(
    ("dependencies", "known"),
    [
        ([], []),
        (["flask <4, >= 3.0"], [FLASK]),
        (["Flask[Async] (>=3.0,<4)"], [FLASK | {"extras": ["async"]}]),
        (["flask>=3.0,<4", "tzdata; os_name == 'nt'"], [FLASK, {"name": "tzdata"}]),
        (["flask>=3.0,<4"], [FLASK, {"name": "pytest", "marker": "extra == 'test'"}]),
        (["x @ https://x.example/x.whl"], [{"name": "x", "url": "https://x.example/x.whl"}]),
        (
            ["a-b>=1 ; python_version < '3.12'", "a.b>=2 ; python_version >= '3.12'"],
            [
                {"name": "a-b", "specifier": ">=1", "marker": "python_full_version < '3.12'"},
                {"name": "a-b", "specifier": ">=2", "marker": "python_full_version >= '3.12'"},
            ],
        ),
    ],
)
def test_a_fresh_lock(tmp_path: Path, dependencies: list[str], known: list[dict[str, Any]]) -> None:
    """uv writes names, versions and markers its own way."""
    assert locked(tmp_path, dependencies, known).source == "uv.lock"


@pytest.mark.parametrize(
    ("dependencies", "known", "named"),
    [
        (["flask"], [], "flask"),
        ([], [FLASK], "flask"),
        (["flask>=3.1,<4"], [FLASK], "flask"),
        (["flask[async]>=3.0,<4"], [FLASK], "flask"),
        (["flask>=3.0,<4", "redis", "celery"], [FLASK], "celery, redis"),
    ],
)
def test_a_stale_lock(
    tmp_path: Path, dependencies: list[str], known: list[dict[str, Any]], named: str
) -> None:
    """What differs is named; a lock that was made when there were no dependencies is stale too."""
    with pytest.raises(Fault, match=rf"uv.lock was made before .*\({named}\)"):
        locked(tmp_path, dependencies, known)


def test_a_project_that_was_renamed(tmp_path: Path) -> None:
    """uv would only say that it can't find the root package."""
    files = {
        "app.py": APP,
        "pyproject.toml": toml({"project": {"name": "new"}}),
        "uv.lock": toml({"package": [{"name": "old", "source": {"virtual": "."}}]}),
    }
    with pytest.raises(Fault, match="it doesn't know 'new'"):
        plan(tmp_path, files)


def test_a_local_package_is_part_of_what_decides(tmp_path: Path) -> None:
    """All of a copy, but only the description of an editable one."""
    (tmp_path / "libs/lib").mkdir(parents=True)
    code, described = tmp_path / "libs/lib/lib.py", tmp_path / "libs/lib/pyproject.toml"
    described.write_text("[project]\nname = 'lib'\n")

    def fingerprints(kind: str) -> list[str]:
        found = []
        for text in ("x = 1", "x = 2"):
            code.write_text(text)
            package = {"name": "lib", "source": {kind: "libs/lib"}}
            known = [{"name": "lib", kind: "libs/lib"}]
            sources = {"lib": {"path": "libs/lib"}}
            made = locked(tmp_path, ["lib"], known, packages=[package], sources=sources)
            found.append(made.fingerprint)
        return found

    assert len(set(fingerprints("directory"))) == 2
    assert len(set(fingerprints("editable"))) == 1


def test_a_local_package_that_is_not_in_the_tree(tmp_path: Path) -> None:
    """Refused where the app needs it, and nobody's affair where only developers do."""
    outside = {"name": "lib", "source": {"editable": "../lib"}}
    assert locked(tmp_path, [], [], packages=[outside])
    known = [{"name": "lib", "editable": "../lib"}]
    with pytest.raises(Fault, match=r"uv.lock, lib: ../lib is not in the repository"):
        locked(tmp_path, ["lib"], known, packages=[outside], sources={"lib": {"path": "../lib"}})
