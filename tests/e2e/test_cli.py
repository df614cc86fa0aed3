"""Stories of the command line: every command of a developer, against the real interface."""

import json
import stat

import pytest

from tests.conftest import eventually
from tests.harness import BIN, Checkout, Platform, User, hello

_CONFIGURED = """
import os, uuid
from flask import Flask

app = Flask(__name__)
ME = str(uuid.uuid4())

@app.get("/")
def index():
    return os.environ.get("GREETING", "no greeting")

@app.get("/me")
def me():
    return ME
"""


@pytest.fixture(scope="module")
def app(ann: User) -> Checkout:
    """A deployed app that says what its config says."""
    made = ann.app("configured", {"app.py": _CONFIGURED, "requirements.txt": "flask\n"})
    made.deploy()
    return made


def test_config(app: Checkout) -> None:
    """A change is a release; a secret is never shown again, not even in JSON."""
    done = app.kurama("config", "set", "GREETING=good morning", "API_TOKEN=hidden-word")
    assert done.status == 0, done.all
    assert "v2 is live" in done.all
    assert app.get() == (200, "good morning")
    shown = app.kurama("config")
    assert "good morning" in shown.out
    for text in (shown.all, json.dumps(app.json("config")), done.all):
        assert "hidden-word" not in text
    assert "hidden-word" not in json.dumps(app.json("releases"))
    assert app.kurama("config", "unset", "GREETING").status == 0
    assert app.get() == (200, "no greeting")
    assert [one["version"] for one in app.json("releases")] == ["v3", "v2", "v1"]


@pytest.mark.parametrize("variable", ["PORT=1", "1X=1", "A B=1", "GREETING", "=1", "KURAMA_APP=x"])
def test_a_variable_that_cannot_be(app: Checkout, variable: str) -> None:
    """Refused with its name, and nothing is released."""
    before = app.json("releases")
    done = app.kurama("config", "set", variable)
    assert done.status in (1, 2), done.all
    assert "Traceback" not in done.err
    assert variable.partition("=")[0] in done.err
    assert app.json("releases") == before


@pytest.mark.parametrize(
    "name",
    ["../x", "-rf", "x" * 64, "Shop", "café", "api", "www", "a b", "", "shop\n", "a.b", "x-", "9"],
)
def test_a_name_that_cannot_be(ann: User, name: str) -> None:
    """No app is made, and what a name may be is said."""
    before = ann.json("apps")
    done = ann.kurama("create", "--", name)
    assert done.status in (1, 2), done.all
    assert "Traceback" not in done.err
    assert done.err.strip()
    assert ann.json("apps") == before


def test_a_name_that_is_taken(ann: User, bob: User, app: Checkout) -> None:
    """By oneself or by somebody else, whose name isn't given away."""
    for user in (ann, bob):
        done = user.kurama("create", app.name)
        assert done.status == 1
        assert app.name in done.err
        assert "ann@example.com" not in done.err


def test_scale_and_ps(app: Checkout) -> None:
    """As many as asked for; nonsense is refused and changes nothing."""
    assert app.kurama("scale", "web=2").status == 0
    assert sorted(one["name"] for one in app.json("ps")) == ["web.1", "web.2"]
    for nonsense in ("web=-1", "web=many", "web", "worker=1", "web=100000"):
        done = app.kurama("scale", nonsense)
        assert done.status in (1, 2), nonsense
        assert "Traceback" not in done.err
    assert len(app.json("ps")) == 2
    assert app.kurama("scale", "web=0").status == 0
    assert app.get()[0] == 503
    assert "H14" in app.get()[1]
    assert app.kurama("scale", "web=1").status == 0
    assert app.get()[0] == 200


def test_restart_replaces_every_replica(app: Checkout) -> None:
    """The same release in new processes, which the old ones make way for."""
    before = app.get("/me")
    assert app.kurama("restart").status == 0
    after = app.get("/me")
    assert before[0] == after[0] == 200
    assert before[1] != after[1]


def test_rollback_to_what_is_not_there(app: Checkout) -> None:
    """A version that never was, and a word that is none."""
    for version in ("v99", "yesterday"):
        done = app.kurama("rollback", version)
        assert done.status in (1, 2, 4)
        assert version in done.err


def test_which_app(app: Checkout, ann: User) -> None:
    """-a, -r, else the folder's only kurama remote; else it is asked for, never guessed."""
    assert ann.json("ps", "-a", app.name) == app.json("ps", "-r", "kurama")
    nowhere = ann.kurama("ps")
    assert nowhere.status == 2
    assert "-a" in nowhere.err
    other = ann.app("other-one", hello())
    assert other.kurama("ps").status == 0
    done = ann.git("remote", "get-url", "kurama", cwd=other.folder)
    url = done.out.strip().replace("other-one", app.name)
    ann.git("remote", "add", "second", url, cwd=other.folder)
    several = other.kurama("ps")
    assert several.status == 2
    assert "kurama" in several.err
    assert "second" in several.err
    assert ann.kurama("open", "-a", app.name, "--url").out.startswith(f"http://{app.name}.")


def test_destroy_asks_for_the_name(ann: User) -> None:
    """A wrong name destroys nothing; the right one takes routes and remote-side code along."""
    doomed = ann.app("doomed", hello())
    doomed.deploy()
    for confirm in ("dooomed", ""):
        assert doomed.kurama("destroy", "--confirm", confirm).status != 0
    assert doomed.kurama("destroy", stdin="").status != 0
    assert doomed.get()[0] == 200
    assert doomed.kurama("destroy", "--confirm", "doomed").status == 0
    assert doomed.get()[0] == 404
    assert doomed.kurama("ps", "-a", "doomed").status == 4
    assert "doomed" not in [one["name"] for one in ann.json("apps")]


def test_logins(platform: Platform) -> None:
    """whoami, a token that is revoked, a changed password, logout; each exit status as promised."""
    carla = platform.user("carla@example.com")
    assert carla.json("whoami")["email"] == "carla@example.com"
    file = carla.folder / ".config" / "kurama" / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    refused = carla.kurama(
        "login", platform.url, "--email", carla.email, "--password-stdin", stdin="wrong\n"
    )
    assert refused.status == 3
    assert carla.token not in refused.all
    (token,) = carla.json("tokens")
    assert carla.token not in json.dumps(token)
    assert carla.kurama("users").status == 1, "an admin's affair"
    machine = carla.kurama("tokens", "create", "ci", "--expires", "12h")
    assert machine.out.startswith("kurama_")
    robot = platform.laptop(carla.email)
    token_login = ("login", platform.url, "--token", machine.out.strip())
    assert robot.kurama(*token_login).status == 0
    assert robot.json("whoami")["email"] == carla.email
    assert carla.kurama("tokens", "create", "ci", "--expires", "soon").status == 1
    assert carla.kurama("tokens", "revoke", str(token["id"])).status == 0
    assert robot.kurama("apps").status == 0, "the other token works on"
    assert carla.kurama("apps").status == 3
    assert carla.kurama("logout").status in (0, 3)
    assert carla.kurama("apps").status == 3
    assert carla.kurama("no-such-command").status == 2
    nobody = carla.kurama("login", "http://127.0.0.1:1", "--token", "x")
    assert nobody.status == 5
    assert "127.0.0.1:1" in nobody.err


def test_a_deploy_of_another_branch(ann: User) -> None:
    """`kurama deploy` pushes the commit that is checked out, and its status is the deploy's."""
    made = ann.app("branched", hello())
    ann.git("switch", "--quiet", "-c", "idea", cwd=made.folder)
    made.commit(hello("idea"))
    assert made.kurama("deploy").status == 0
    assert made.get() == (200, "hello idea")
    made.commit({"app.py": "import nothing_like_this"})
    assert made.kurama("deploy").status == 1
    assert made.get() == (200, "hello idea")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(ann: User, shell: str) -> None:
    """A script for each shell; and what it asks for is answered."""
    done = ann.kurama("completion", shell)
    assert done.status == 0
    assert "_KURAMA_COMPLETE" in done.out
    environment = {
        "COMP_WORDS": "kurama rollb",
        "COMP_CWORD": "1",
        "_KURAMA_COMPLETE": "bash_complete",
    }
    words = [f"{name}={value}" for name, value in environment.items()]
    answer = ann.run("env", *words, str(BIN / "kurama"))
    assert "rollback" in answer.out


def test_a_worker_process_runs_beside_web(ann: User) -> None:
    """Of a Procfile with two processes each runs, and each one's output is named after it."""
    both = ann.app(
        "pair",
        {
            **hello(),
            "Procfile": "web: gunicorn --bind $HOST:$PORT app:app\nworker: python work.py\n",
            "work.py": "import time\nprint('working')\ntime.sleep(3600)\n",
        },
    )
    both.deploy()
    assert sorted(one["name"] for one in both.json("ps")) == ["web.1", "worker.1"]
    eventually(
        lambda: [one["message"] for one in both.json("logs", "--process", "worker")] == ["working"]
    )
