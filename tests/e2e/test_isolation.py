"""Stories of apps that try to get out of what they may see."""

import json
from pathlib import Path

import pytest

from tests.harness import HELLO, User

# Runs while the app's dependencies are installed, as a dependency's own setup.py would.
_SETUP = """
import contextlib, os, pathlib
from setuptools import setup

cache = pathlib.Path(os.environ["UV_CACHE_DIR"])
places = {{
    "data": [cache.parent / "data", cache.parent.parent / "data"],
    "hook": [path / "kurama.pth" for path in cache.parent.rglob("site-packages")],
}}
for place in places[{link!r}]:
    with contextlib.suppress(OSError):
        place.symlink_to({target!r} + {file!r})
setup(name="evil", version="1", py_modules=[])
"""
_APP = """
import json, os
from flask import Flask

app = Flask(__name__)

@app.get("/")
def hello():
    try:
        open("/data/written", "w").close()
    except OSError:
        pass
    return json.dumps(os.listdir("/data"))
"""


@pytest.mark.parametrize(("link", "file"), [("data", ""), ("hook", "/file")])
def test_a_build_that_puts_links_where_the_platform_writes(
    ann: User, tmp_path: Path, link: str, file: str
) -> None:
    """The platform follows none of them: nothing outside is written, shown or given away."""
    target = tmp_path / "outside"
    target.mkdir()
    (target / "file").write_text("as it was")
    before = target.stat()
    evil = {"evil/setup.py": _SETUP.format(target=str(target), link=link, file=file)}
    app = ann.app(f"linker-{link}", {"app.py": _APP, "requirements.txt": "flask\n./evil\n", **evil})
    app.push()
    status, body = app.get()
    assert status != 200 or json.loads(body) == ["written"]
    assert [path.name for path in target.iterdir()] == ["file"]
    assert (target / "file").read_text() == "as it was"
    after = target.stat()
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)


def test_config_that_would_load_something_into_the_jailer(ann: User) -> None:
    """What an app configures takes effect in the app, and not in what confines it."""
    app = ann.app("preload", {"app.py": HELLO.format(version="1"), "requirements.txt": "flask\n"})
    app.deploy()
    done = app.kurama("config", "set", "LD_DEBUG=files", "LD_DEBUG_OUTPUT=/tmp/loaded")
    assert done.status == 0, done.all
    assert not list(Path("/tmp").glob("loaded.*"))
    assert app.get() == (200, "hello 1")
