"""Images of pushed trees, built for real: uv, this machine's Pythons, the sandbox's own builder."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.runtime import Image, Limits
from agent.sandbox.options import Options
from agent.sandbox.runtime import SandboxRuntime

UV = Path(sys.executable).parent / "uv"
LIMITS = Limits(memory=500_000_000, cpus=1.0)
APP = "from flask import Flask\napp = Flask(__name__)\n"
LIBRARY = {
    "libs/greet/pyproject.toml": (
        '[project]\nname = "greet"\nversion = "1"\n'
        '[build-system]\nrequires = ["setuptools>=64"]\nbuild-backend = "setuptools.build_meta"\n'
    ),
    "libs/greet/greet.py": "WORD = 'good day'\n",
}
PROJECT = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.11"
dependencies = ["flask>=3,<4"]

[dependency-groups]
dev = ["iniconfig"]
"""


@pytest.fixture
def runtime(tmp_path: Path) -> SandboxRuntime:
    """A worker of its own."""
    return SandboxRuntime(tmp_path / "worker", tmp_path / "worker.sock", Options())


class Pushes:
    """Pushes to one app, one after the other."""

    def __init__(self, runtime: SandboxRuntime, folder: Path) -> None:
        self._runtime = runtime
        self._folder = folder
        self.said: list[str] = []

    def push(self, files: Mapping[str, str]) -> Image:
        """Build these files."""
        self._folder.mkdir()
        write(self._folder, files)
        stop = threading.Event()
        return self._runtime.build("shop", self._folder, {}, self.said.append, stop)

    def python(self, image: Image, code: str) -> str:
        """What a piece of Python prints in an image."""
        printed: list[str] = []
        command = f"python -c {code!r}"
        stop = threading.Event()
        status = self._runtime.run(
            image.reference, "shop", command, {}, LIMITS, printed.append, stop
        )
        assert status == 0, printed
        return "\n".join(printed)


@pytest.fixture
def pushes(runtime: SandboxRuntime, tmp_path: Path) -> Pushes:
    """Pushes to a new app."""
    return Pushes(runtime, tmp_path / "pushed")


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Files with their folders."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_requirements_with_includes_and_a_local_package(pushes: Pushes) -> None:
    """All is there, gunicorn and the library too; code alone installs nothing again."""
    files = {
        **LIBRARY,
        "app.py": f"import greet\n{APP}",
        "requirements.txt": "-r requirements/base.txt\n./libs/greet\n",
        "requirements/base.txt": "flask>=3,<4\r\n",
    }
    first = pushes.push(files)
    show = "import app, greet, gunicorn, psutil, flask_kurama; print(greet.WORD)"
    assert pushes.python(first, show) == "good day"
    assert not first.reused_dependencies
    second = pushes.push({**files, "app.py": f"{files['app.py']}PRICE = 3\n"})
    assert second.reused_dependencies
    assert pushes.python(second, "import app; print(app.PRICE)") == "3"
    third = pushes.push({**files, "libs/greet/greet.py": "WORD = 'hello'\n"})
    assert not third.reused_dependencies


def test_a_real_uv_lock(pushes: Pushes, tmp_path: Path) -> None:
    """What uv itself locked is found fresh and installed, without the development group."""
    made = tmp_path / "made"
    write(made, {"pyproject.toml": PROJECT})
    subprocess.run([UV, "lock", "--quiet"], cwd=made, check=True, timeout=120)
    files = {"pyproject.toml": PROJECT, "uv.lock": (made / "uv.lock").read_text()}
    shutil.rmtree(made)
    image = pushes.push({**files, "src/shop/__init__.py": APP})
    show = "import importlib.util as i; print(bool(i.find_spec('iniconfig')))"
    assert pushes.python(image, show) == "False"
    assert pushes.python(image, "import shop; print(shop.app.name)") == "shop"


def test_lines_of_a_poetry_lock_are_what_uv_takes(pushes: Pushes) -> None:
    """An editable package whose folder has a space in its name, among others."""
    library = {name.replace("greet/", "my greet/"): text for name, text in LIBRARY.items()}
    lock = """
        [[package]]
        name = "greet"
        version = "1"
        python-versions = "*"
        develop = true
        source = {type = "directory", url = "libs/my greet"}

        [[package]]
        name = "markupsafe"
        version = "3.0.2"
        python-versions = ">=3.9"
    """
    manifest = """
        [tool.poetry]
        package-mode = false

        [tool.poetry.dependencies]
        python = "^3.11"
        greet = {path = "libs/my greet", develop = true}
        markupsafe = "^3"
    """
    files = {
        **library,
        "pyproject.toml": manifest,
        "poetry.lock": lock,
        "Procfile": "web: python -m http.server $PORT",
        "work.py": "",
    }
    image = pushes.push(files)
    assert pushes.python(image, "import greet, markupsafe; print(greet.WORD)") == "good day"


def test_without_a_jail_each_image_runs_its_own_code(tmp_path: Path) -> None:
    """An editable installation leads to a tree by its path, which there is the image's own."""
    runtime = SandboxRuntime(tmp_path / "w", tmp_path / "w.sock", Options(isolation="off"))
    pushes = Pushes(runtime, tmp_path / "push")
    project = (
        '[project]\nname = "shop"\nversion = "1"\n[tool.setuptools]\npy-modules = ["shop"]\n'
        '[build-system]\nrequires = ["setuptools>=64"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    images = [
        pushes.push({"pyproject.toml": project, "shop.py": f"V = {number}\n", "app.py": APP})
        for number in (1, 2)
    ]
    says = [
        pushes.python(image, "import os; os.chdir('/'); import shop; print(shop.V)")
        for image in images
    ]
    assert says == ["1", "2"]
