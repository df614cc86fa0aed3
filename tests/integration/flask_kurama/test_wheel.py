"""The distribution: built, installed into a new environment, and at work there."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from flask_kurama.record import decode
from tests.conftest import needs

SOURCE = Path(__file__).parents[3] / "flask_kurama"
UV = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")

PROGRAM = """
import flask, logging, sys
app = flask.Flask("shop")
app.add_url_rule("/items/<int:number>", view_func=lambda number: "hello", endpoint="item")
app.test_client().get("/items/3", buffered=True)
assert "flask_kurama.extension" in sys.modules
"""


def uv(*arguments: str | Path) -> None:
    """Run uv; where it cannot reach a package index, this machine cannot do the test."""
    assert UV
    done = subprocess.run(
        [UV, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    unreachable = "Failed to fetch" in done.stderr or "error sending request" in done.stderr
    needs(not unreachable, "uv cannot reach a package index")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, as building leaves files in the source."""
    needs(UV is not None, "uv is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(SOURCE, folder / "flask_kurama", ignore=shutil.ignore_patterns("__pycache__"))
    uv("build", "--wheel", "--out-dir", folder, folder / "flask_kurama")
    (built,) = folder.glob("*.whl")
    return built


def test_what_is_in_it(wheel: Path) -> None:
    """All modules, the mark that they are typed, and nothing else."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {f"flask_kurama/{path.name}" for path in SOURCE.glob("*.py")}
    assert names == modules | {"flask_kurama/py.typed"}


def test_an_application_in_a_new_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed beside Flask, switched on by a .pth file, the application unchanged."""
    uv("venv", "--python", sys.executable, tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    uv("pip", "install", "--python", python, wheel, "flask")
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "kurama.pth").write_text("import flask_kurama.auto\n")
    done = subprocess.run(
        [python, "-c", PROGRAM], capture_output=True, timeout=60, check=True, cwd=tmp_path
    )
    record = decode(done.stdout)
    assert record
    assert record.route == "/items/<int:number>"
    assert record.memory_percent
    assert done.stderr == b""
