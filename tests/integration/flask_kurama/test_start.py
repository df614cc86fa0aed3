"""`import flask_kurama.auto` at interpreter start: what it costs, and that it leaves no trace."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.flask_kurama.scripts import ROOT, run

AUTO = "import flask_kurama.auto\n"
ASK = """
app = flask.Flask("shop")
app.add_url_rule("/", "root", lambda: "hello")
app.test_client().get("/", buffered=True)
"""


def test_the_start_imports_nothing_else() -> None:
    """No json, no logging, no psutil: two small modules."""
    ran = run("import sys; before = set(sys.modules); import flask_kurama.auto\n"
              "print(sorted(set(sys.modules) - before))", prelude="")  # fmt: skip
    assert ran.stdout == ["['__future__', 'flask_kurama', 'flask_kurama.auto']"]


def test_the_start_takes_less_than_a_millisecond() -> None:
    """As the interpreter itself measures it; the best of several, as others use the machine."""
    times = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", AUTO],
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        (cumulative,) = re.findall(r"\|\s+(\d+) \| flask_kurama\.auto$", done.stderr, re.MULTILINE)
        times.append(int(cumulative))
    assert min(times) < 1000


@pytest.mark.parametrize(
    "imports", ["import flask", "from flask import Flask; import flask", "import flask.app, flask"]
)
def test_every_application_is_instrumented_with_nothing_added(imports: str) -> None:
    """However Flask is imported."""
    assert run(imports + ASK, prelude=AUTO).stdout == ["GET / 200"]


def test_flask_may_have_been_imported_before() -> None:
    """By another line of a .pth file, say."""
    assert run(ASK, prelude="import flask\n" + AUTO).stdout == ["GET / 200"]


def test_subclasses_are_instrumented() -> None:
    """Whose own __init__ goes on after Flask's."""
    program = """
        class Shop(flask.Flask):
            def __init__(self, name):
                super().__init__(name)
                inner = self.wsgi_app
                self.wsgi_app = lambda *args: inner(*args)
        app = Shop("shop")
        app.test_client().get("/", buffered=True)
    """
    assert run(program, prelude=AUTO + "import flask\n").stdout == ["GET / 404"]


def test_it_can_be_turned_off() -> None:
    """KURAMA_INSTRUMENT=off: the import system is as it was."""
    program = (
        ASK
        + "import sys; print([type(f).__module__ for f in sys.meta_path if 'kurama' in repr(f)])"
    )
    ran = run(program, prelude=AUTO + "import flask\n", environment={"KURAMA_INSTRUMENT": "off"})
    assert ran.stdout == ["[]"]


def test_flasks_modules_are_as_if_imported_without_us() -> None:
    """Their types, loaders and specs; and Flask's own signature."""
    program = """
        import flask, flask.app, importlib.util, inspect, importlib
        module = flask.app
        print(type(module).__name__, type(module.__loader__).__name__)
        spec, init = module.__spec__, flask.Flask.__init__
        print(spec.loader is module.__loader__, spec.origin == module.__file__)
        print(list(inspect.signature(init).parameters)[:2], init.__name__)
        print(inspect.getsource(module)[:20] == open(module.__file__).read()[:20])
        print(importlib.reload(module) is module)
    """
    assert run(program, prelude=AUTO).stdout == run(program, prelude="").stdout


def test_its_spec_can_be_found_without_importing_it() -> None:
    """As packagers and coverage do; the source is where it was, and nothing is executed."""
    program = """
        import importlib.util, sys
        spec = importlib.util.find_spec("flask.app")
        print(spec.name, spec.origin.endswith("flask/app.py"), spec.loader.is_package("flask.app"))
        print("class Flask" in spec.loader.get_source("flask.app"), "flask.app" in sys.modules)
        print(importlib.util.find_spec("flask.nothing"), importlib.util.find_spec("nothing"))
    """
    # To find a submodule importlib imports its package: here one that holds nothing yet.
    package = """
import importlib.machinery, sys, types
flask = sys.modules["flask"] = types.ModuleType("flask")
flask.__path__ = importlib.machinery.PathFinder.find_spec("flask").submodule_search_locations
"""
    ran = run(program, prelude=AUTO + package)
    assert ran.stdout[:2] == ["flask.app True False", "True False"], ran.stderr
    assert ran.stdout[-1] == "None None", ran.stderr


def test_another_tools_finder_may_ask_all_finders_too() -> None:
    """Each asks the other: neither asks for ever."""
    other = """
class Other:
    def find_spec(self, name, path=None, target=None):
        if name == "flask.app":
            for finder in sys.meta_path:
                if finder is not self and (spec := finder.find_spec(name, path, target)):
                    return spec
import sys
sys.meta_path.insert(0, Other())
import flask
"""
    assert run(ASK, prelude=AUTO + other).stdout == ["GET / 200"]
    assert run(ASK, prelude=other.replace("import flask\n", AUTO + "import flask\n")).stdout == [
        "GET / 200"
    ]


def test_an_import_that_fails_shows_nothing_of_us(tmp_path: Path) -> None:
    """The traceback of a broken Flask is the one that it would have without us."""
    package = tmp_path / "flask"
    package.mkdir()
    (package / "__init__.py").write_text("from .app import Flask\n")
    (package / "app.py").write_text("raise ZeroDivisionError\n")
    paths = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with_us = run("import flask", prelude=AUTO, environment=paths)
    without = run("import flask", prelude="\n", environment=paths)
    assert "ZeroDivisionError" in with_us.stderr
    assert with_us.stderr == without.stderr
    program = "try:\n  import flask\nexcept ZeroDivisionError: pass\nimport flask"
    again = run(program, prelude=AUTO, environment=paths)
    assert again.stderr.count("Traceback") == 1


def test_a_flask_that_is_not_the_one_we_know_is_left_alone(tmp_path: Path) -> None:
    """One line on stderr; the application runs."""
    package = tmp_path / "flask"
    package.mkdir()
    (package / "__init__.py").write_text("from .app import Flask\n")
    (package / "app.py").write_text("class Flask:\n  def __init__(self, name): self.name = name\n")
    ran = run(
        "import flask; print(flask.Flask('odd').name)",
        prelude=AUTO,
        environment={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    assert ran.stdout == ["odd"]
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith("flask_kurama: ")


def test_psutil_may_be_missing() -> None:
    """The records are there, the host's figures are null."""
    program = "import sys; sys.modules['psutil'] = None; import flask" + ASK
    assert run(program, prelude=AUTO).stdout == ["GET / 200"]
