"""requirements.txt: what it includes and installs of the tree, and what decides that again."""

from pathlib import Path

import pytest

from agent.faults import Fault
from tests.unit.agent.build.trees import APP, plan

TREE = {
    "app.py": APP,
    "base.txt": "flask\n",
    "two words.txt": "redis\n",
    "lib/pyproject.toml": "[project]\nname = 'lib'\n",
    "lib/lib.py": "x = 1\n",
    "wheels/lib-1-py3-none-any.whl": "",
}


def fingerprint(folder: Path, line: str, **changed: str) -> str:
    """Of a tree with this line in requirements.txt; `changed` files are named with _ for /."""
    files = {**TREE, "requirements.txt": f"{line}\n"}
    named = {name.replace("_", "/", 1) + ".py": text for name, text in changed.items()}
    return plan(folder, {**files, **named}).fingerprint


@pytest.mark.parametrize(
    "line",
    [
        "-r base.txt",
        "-r base.txt # ours",
        "--requirement=base.txt",
        '-r "two words.txt"',
        "-c base.txt",
        "-f wheels",
        "./lib",
        "lib/",
        "./lib[extra] ; os_name == 'posix'",
        "lib @ ./lib",
        "lib[extra] @ file:///app/lib ; python_version > '3'",
        "${PROJECT_ROOT}/lib",
        "-e ./lib#egg=lib",
        "--editable lib[extra]",
        "wheels/lib-1-py3-none-any.whl --hash=sha256:0",
        "-e git+https://git.example/lib#egg=lib",
        "lib @ git+ssh://git@git.example/lib@main",
        "https://files.example/lib.whl",
        "--index-url https://packages.example/simple",
        "flask==3.0 \\\n    --hash=sha256:0 \\\n    --hash=sha256:1",
        "Flask[async] >= 3 ; python_version < '4' # why",
    ],
)
def test_lines_that_people_write(tmp_path: Path, line: str) -> None:
    """All of pip's notations that uv takes."""
    found = plan(tmp_path, {**TREE, "requirements.txt": f"{line}\n"})
    assert found.source == "requirements.txt"
    assert found.steps[0].argv == ("uv", "pip", "install", "--requirement", "requirements.txt")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-r more.txt", "requirements.txt, line 2: more.txt is not in the repository"),
        ("-r ../base.txt", "../base.txt is not in the repository"),
        ("-r /etc/passwd", "/etc/passwd is not in the repository"),
        ("-r https://x.example/r.txt", "https://x.example/r.txt is not in the repository"),
        ("-r lib", "lib is not in the repository"),
        ("-rbase.txt", "'-rbase.txt'"),
        ("-e ../lib", "../lib is not in the repository"),
        ("./nothing", "./nothing is not in the repository"),
        ("x @ file:///home/conda/feedstock_root/x", "is not in the repository"),
        ("-r two.txt", "two.txt, line 1: three.txt is not in the repository"),
    ],
)
def test_lines_that_lead_nowhere(tmp_path: Path, line: str, message: str) -> None:
    """Are refused with their file and number, before anything is built."""
    files = {**TREE, "two.txt": "-r three.txt\n", "requirements.txt": f"# ours\n{line}\n"}
    with pytest.raises(Fault) as refused:
        plan(tmp_path, files)
    assert message in refused.value.message
    assert refused.value.hint


def test_a_conda_freeze_is_told_what_to_do(tmp_path: Path) -> None:
    """It names paths of the machine on which conda built the packages."""
    with pytest.raises(Fault) as refused:
        fingerprint(tmp_path, "click @ file:///home/conda/feedstock_root/click_1/work")
    assert "pip list --format=freeze" in refused.value.hint


@pytest.mark.parametrize(
    ("line", "code_decides"), [("./lib", True), ("-e ./lib", False), ("lib @ file:./lib", True)]
)
def test_of_a_copy_all_decides_of_an_editable_the_description(
    tmp_path: Path, line: str, code_decides: bool
) -> None:
    """An editable package's code is where it was; a copy has to be made again."""
    before = fingerprint(tmp_path, line)
    assert fingerprint(tmp_path, line, app=f"{APP}PRICE = 3\n") == before
    after = fingerprint(tmp_path, line, lib_lib="x = 2\n")
    assert (after != before) is code_decides


def test_an_editable_package_that_is_compiled(tmp_path: Path) -> None:
    """What the compiler made of its code stands beside it, so all of the code decides."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "fast.c").write_text("int x = 1;")
    before = fingerprint(tmp_path, "-e ./lib")
    (tmp_path / "lib" / "fast.c").write_text("int x = 2;")
    assert fingerprint(tmp_path, "-e ./lib") != before


def test_included_files_decide(tmp_path: Path) -> None:
    """Through as many of them as there are, each once, and constraints too."""
    files = {
        **TREE,
        "requirements.txt": "-r deps/all.txt\n",
        "deps/all.txt": "-r ../base.txt\n-r all.txt\n-c versions.txt\n",
        "deps/versions.txt": "flask==3.0\n",
    }
    before = plan(tmp_path, files).fingerprint
    assert plan(tmp_path, {**files, "deps/versions.txt": "flask==3.1\n"}).fingerprint != before
    assert plan(tmp_path, {**files, "base.txt": "flask>3\n"}).fingerprint != before
    assert plan(tmp_path, {**files, "Procfile": "web: gunicorn app:app\n"}).fingerprint == before


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("flask", False),
        ("Flask-RESTX==1", False),
        ("requests", True),
        ("requests\n-c base.txt", True),
        ("requests\n-r base.txt", False),
        ("requests\nhttps://x.example/y.whl", False),
    ],
)
def test_no_flask_is_noted(tmp_path: Path, text: str, noted: bool) -> None:
    """Where that can be told, and a constraint is no wish."""
    found = plan(tmp_path, {**TREE, "requirements.txt": text})
    assert any("doesn't name flask" in note for note in found.notes) is noted


def test_a_virtual_project_with_c_code_is_not_installed_again(tmp_path: Path) -> None:
    """Only what is installed from the tree is compiled."""
    files = {**TREE, "firmware.c": "1", "pyproject.toml": "[project]\nname = 'shop'\n"}
    before = plan(tmp_path, files)
    assert before.source == "pyproject.toml"
    assert plan(tmp_path, {**files, "firmware.c": "2"}).fingerprint == before.fingerprint
