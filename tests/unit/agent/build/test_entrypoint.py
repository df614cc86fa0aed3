"""Where the Flask application is, found by reading."""

import shlex
from pathlib import Path

import pytest

from agent.build import detect
from agent.build.pythons import Interpreter
from agent.faults import Fault
from tests.unit.agent.build.trees import APP, plan

CALLER = "from shop import create_app\napp = create_app()"
FACTORY = "from flask import Flask\ndef create_app(config=None):\n    return Flask(__name__)\n"
NEEDY = FACTORY.replace("config=None", "config")
FLASK = {"requirements.txt": "flask"}


@pytest.mark.parametrize(
    ("files", "target"),
    [
        ({"app.py": APP}, "app:app"),
        ({"hello.py": APP}, "hello:app"),
        ({"main.py": APP.replace("app =", "application =")}, "main:application"),
        ({"site.py": APP.replace("app =", "shop =")}, "site:shop"),
        ({"app.py": "import flask\napp = flask.Flask('x')\n"}, "app:app"),
        ({"shop/__init__.py": FACTORY}, "shop:create_app()"),
        ({"shop/__init__.py": FACTORY.replace("create", "make")}, "shop:make_app()"),
        ({"shop/__init__.py": "", "shop/web.py": APP}, "shop.web:app"),
        ({"backend/app.py": APP}, "backend.app:app"),
        ({"shop/__init__.py": FACTORY, "wsgi.py": CALLER},
         "wsgi:app"),
        ({"wsgi.py": "from shop import app as application", "shop/__init__.py": APP},
         "wsgi:application"),
        ({"app.py": "try:\n  import x\nfinally:\n  from flask import Flask\n  app = Flask('x')"},
         "app:app"),
        ({"app.py": f"{APP}if __name__ == '__main__':\n  app = None\n  app.run()\n"}, "app:app"),
        ({"src/shop/__init__.py": FACTORY}, "shop:create_app()"),
        ({"app.py": APP, "tests/app.py": APP, "examples/wsgi.py": APP}, "app:app"),
        ({"a.py": "broken(", "b.py": APP}, "b:app"),
        ({"app.py": b"# -*- coding: latin-1 -*-\n" + "x = 'ä'\n".encode("latin-1")
          + APP.encode()}, "app:app"),
    ],
)  # fmt: skip
def test_it_is_found(tmp_path: Path, files: dict[str, str], target: str) -> None:
    """Objects and factories, at the top, in packages, under src/."""
    found = plan(tmp_path, {**FLASK, **files})
    assert shlex.split(found.processes["web"])[-1] == target
    assert found.processes["web"].startswith("gunicorn ")
    assert found.pythonpath == (("src",) if "src/shop/__init__.py" in files else ())
    assert any(f"The Flask app is {target}" in note for note in found.notes)


@pytest.mark.parametrize(
    ("said", "target"),
    [
        ("shop.web:made", "shop.web:made"),
        ("shop/web.py", "shop.web:made"),
        ("./shop/web.py:made", "shop.web:made"),
        ("shop:create_app", "shop:create_app()"),
        ("shop:create_app('test')", "shop:create_app('test')"),
        ('shop:create_app("$HOME `x`")', 'shop:create_app("$HOME `x`")'),
        ("manage.py", "manage:app"),
        ("manage", "manage:app"),
        ("odd", "odd:app"),
    ],
)
@pytest.mark.parametrize("where", ["config", ".flaskenv", ".env"])
def test_flask_app_names_it(tmp_path: Path, said: str, target: str, where: str) -> None:
    """In Flask's own way of writing it, wherever it stands."""
    files = {
        **FLASK,
        "other.py": APP,
        "manage.py": APP,
        "odd.py": "from shop.web import made as app\n",
        "shop/__init__.py": FACTORY,
        "shop/web.py": APP.replace("app =", "made ="),
    }
    config = {"FLASK_APP": said} if where == "config" else {}
    if where != "config":
        files[where] = f"# ours\nexport FLASK_APP={said}\n"
    assert shlex.split(plan(tmp_path, files, **config).processes["web"])[-1] == target


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"work.py": "print('no app')"}, "No Flask app was found"),
        ({"app.py": "broken("}, "app.py, line 1"),
        ({"shop/__init__.py": NEEDY}, "No Flask app was found"),
        ({"app.py": APP, ".flaskenv": "FLASK_APP=nowhere"}, "no module 'nowhere'"),
        ({"app.py": "x = 1", ".flaskenv": "FLASK_APP=app.py"}, "no app was found in that module"),
        ({"README.md": "# nothing"}, "no Python file"),
        ({"app.py": APP, ".flaskenv": "FLASK_APP=app:x.y"}, "a name or a call"),
        ({"app.py": APP, ".flaskenv": "FLASK_APP=app:f(); g()"}, "a name or a call"),
        ({"app.py": "from flask import Flask\napp: Flask\n"}, "No Flask app was found"),
        ({"app.py": "app = 'shop'\n"}, "No Flask app was found"),
        ({"app.py": "if x: y\n" + "elif x: y\n" * 2500}, "too deeply nested"),
    ],
)
def test_what_is_not_found_says_where_was_looked(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    """And what would name it."""
    with pytest.raises(Fault) as refused:
        plan(tmp_path, {**FLASK, **files})
    assert message in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize(
    ("files", "target"),
    [
        ({"src/__init__.py": FACTORY}, "src:create_app()"),
        ({"src/__init__.py": "", "src/app.py": APP}, "src.app:app"),
    ],
)
def test_a_package_named_src(tmp_path: Path, files: dict[str, str], target: str) -> None:
    """With an __init__.py it is no folder of packages: its modules import each other as src.…"""
    found = plan(tmp_path, {**FLASK, **files})
    assert shlex.split(found.processes["web"])[-1] == target
    assert found.pythonpath == ()


def test_code_for_a_newer_python_is_not_called_wrong(tmp_path: Path) -> None:
    """Kurama's own Python can't read it, but the app's may: a Procfile says where the app is."""
    newest = Interpreter(Path("/opt/python3.99/bin/python"), (3, 99, 0))
    (tmp_path / "app.py").write_text(f"soon x = 1\n{APP}")
    (tmp_path / "requirements.txt").write_text("flask")
    with pytest.raises(Fault) as refused:
        detect.plan(tmp_path, [newest])
    assert "It can't read app.py, line 1" in refused.value.message
    assert "Procfile" in refused.value.hint
    (tmp_path / "Procfile").write_text("web: gunicorn app:app")
    assert detect.plan(tmp_path, [newest]).python_version == "3.99.0"


def test_a_broken_module_beside_the_application(tmp_path: Path) -> None:
    """A script of a likely name that nobody finished keeps no app from its visitors."""
    found = plan(tmp_path, {**FLASK, "app.py": APP, "run.py": "broken("})
    assert found.processes["web"].endswith(" app:app")


def test_a_procfile_decides(tmp_path: Path) -> None:
    """Its commands stay as they are; `release` is no process."""
    procfile = "# ours\nweb: gunicorn app:app\nworker: python work.py\nrelease: flask db upgrade\n"
    found = plan(tmp_path, {**FLASK, "app.py": APP, "Procfile": procfile})
    assert found.processes == {"web": "gunicorn app:app", "worker": "python work.py"}
    assert found.release_command == "flask db upgrade"
    assert "gunicorn" in found.steps[-1].argv
    waitress = plan(tmp_path, {"Procfile": "web: waitress-serve app:app"})
    assert "gunicorn" not in waitress.steps[-1].argv


@pytest.mark.parametrize(
    "procfile",
    [
        "web gunicorn app:app",
        "web:",
        "WEB: x",
        "web: a\nweb: b",
        "a" * 31 + ": x\nweb: y",
        "../x: y",
    ],
)
def test_a_procfile_that_cannot_be(tmp_path: Path, procfile: str) -> None:
    """The line is named."""
    with pytest.raises(Fault, match="Procfile, line"):
        plan(tmp_path, {**FLASK, "app.py": APP, "Procfile": procfile})
