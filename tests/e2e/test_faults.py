"""Stories of what breaks: parts that are killed, restarts, and everything found again."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import eventually
from tests.harness import Checkout, Platform, User, free_ports, hello, running


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that these tests may break."""
    settings = {"deploy": {"boot_timeout": "15s", "drain": "3s"}}
    with running(tmp_path_factory.mktemp("faults"), settings) as up:
        yield up


@pytest.fixture(scope="module")
def dev(own: Platform) -> User:
    """A developer on it."""
    return own.user("dev@example.com")


@pytest.fixture(scope="module")
def app(dev: User) -> Checkout:
    """A deployed app, which must go on answering through all of it."""
    made = dev.app("steady", {**hello(), "Procfile": _SLOW_RELEASE})
    made.deploy()
    return made


def test_the_interface_killed_in_mid_deploy(own: Platform, app: Checkout) -> None:
    """The old release serves, the new one is failed, the lock is free, the push can be repeated."""
    app.commit(hello("2"))
    client = subprocess.Popen(
        ["git", "push", "kurama", "main"],
        cwd=app.folder,
        env=app.user.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: app.json("releases")[0]["state"] == "pending")
    os.kill(own.part("interface")["pid"], signal.SIGKILL)
    assert client.wait(60) != 0
    assert app.get() == (200, "hello 1")
    eventually(lambda: app.json("releases")[0]["state"] == "failed", timeout=30)
    eventually(lambda: own.part("interface")["state"] == "ok", timeout=30)
    done = app.push()
    assert done.status == 0, done.all
    assert "Waiting for" not in done.err
    assert app.get() == (200, "hello 2")
    assert [r["state"] for r in app.json("releases")] == ["live", "failed", "superseded"]


@pytest.mark.parametrize("name", ["ingest", "collector", "persistence", "nats", "postgres"])
def test_a_part_is_killed(own: Platform, app: Checkout, name: str) -> None:
    """It is started again, apps serve all the while, and no record of that time is missing."""
    before = own.part(name)["pid"]
    marks = [f"{name}-{number}" for number in range(20)]
    for number, mark in enumerate(marks):
        if number == 5:
            _kill(before)
        assert app.get(f"/?mark={mark}")[0] == 200
    eventually(lambda: own.part(name)["state"] == "ok", timeout=30)
    assert own.part(name)["pid"] != before

    def seen() -> bool:
        found = app.json("logs", "-n", "200")
        urls = [record["url"].partition("mark=")[2] for record in found if record["url"]]
        return sorted(url for url in urls if url.startswith(f"{name}-")) == sorted(marks)

    eventually(seen, timeout=30, what="each request has one record")


def test_the_router_is_killed(own: Platform, app: Checkout) -> None:
    """Its routes are back as soon as it is."""
    _kill(own.part("router")["pid"])

    def answers() -> bool:
        try:
            return app.get()[0] == 200
        except OSError:
            return False

    eventually(answers, timeout=15)


def test_the_replicas_keeper_is_killed(own: Platform, app: Checkout) -> None:
    """What should run is started again by itself."""
    _kill(own.part("worker")["pid"])
    eventually(lambda: own.part("worker")["state"] == "ok", timeout=20)
    eventually(lambda: app.get()[0] == 200, timeout=20)


def test_a_replica_is_killed(own: Platform, app: Checkout) -> None:
    """It is started again; a visitor waits for it rather than being turned away."""
    pid = json.loads(
        subprocess.run(
            ["pgrep", "-f", str(own.home / "worker" / "apps" / "steady")],
            capture_output=True, text=True, check=True,
        ).stdout.split()[0]
    )  # fmt: skip
    _kill(int(pid))
    assert app.get() == (200, "hello 2")


def test_an_app_that_crashes_later(own: Platform, dev: User) -> None:
    """After some tries it counts as crashed: H10, and `kurama ps` says how it ended."""
    code = """
import os
from flask import Flask
app = Flask(__name__)
if os.path.exists("/data/again" if os.path.isdir("/data") else "again"):
    raise RuntimeError("never again")
@app.get("/")
def hello():
    return "for now"
@app.get("/die")
def die():
    open(os.path.join(os.environ["KURAMA_DATA_DIR"], "again"), "w").close()
    os.kill(os.getppid(), 9)
    return ""
"""
    app = dev.app("dying", {"app.py": code, "requirements.txt": "flask\n"})
    app.deploy()
    assert app.get() == (200, "for now")
    app.get("/die")
    found = eventually(lambda: [r for r in app.json("ps") if r["detail"]], timeout=30)
    assert "ended" in found[0]["detail"]
    eventually(lambda: app.get()[0] == 503, timeout=60)
    _, body = app.get()
    assert "H10" in body


def test_down_and_up_again(own: Platform, app: Checkout) -> None:
    """As after a reboot: what was deployed is back without a push, in as many replicas."""
    done = app.kurama("scale", "web=2")
    assert done.status == 0, done.all
    own.down()
    assert _processes_of(own.home) == []
    own.up()
    eventually(lambda: app.get() == (200, "hello 2"), timeout=20)
    eventually(lambda: [r["state"] for r in app.json("ps")] == ["running"] * 2, timeout=20)


def test_a_machine_that_was_switched_off(own: Platform, app: Checkout) -> None:
    """Everything killed at once, sockets and pid files left behind: `kurama up` copes."""
    for process in _processes_of(own.home):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    eventually(lambda: _processes_of(own.home) == [])
    own.up()
    eventually(lambda: app.get() == (200, "hello 2"), timeout=20)


def test_the_supervisor_is_killed(own: Platform, app: Checkout) -> None:
    """`kurama up` ends what outlived it and starts anew; the apps never stop."""
    _kill(own.part("supervisor")["pid"])
    assert app.get() == (200, "hello 2")
    own.up()
    assert own.part("interface")["state"] == "ok"
    eventually(lambda: app.get() == (200, "hello 2"), timeout=20)


def test_a_second_up(own: Platform) -> None:
    """It says that it is up already, and changes nothing."""
    pid = own.part("interface")["pid"]
    done = own.operate("up")
    assert done.status == 1
    assert "Kurama is up already" in done.err
    assert own.part("interface")["pid"] == pid


def test_a_taken_port(own: Platform, tmp_path: Path) -> None:
    """The setting, the port and who has it; nothing is left running."""
    other = Platform(tmp_path, {"interface": {"port": own.settings["interface"]["port"]}})
    done = other.operate("up")
    other.operate("down")
    assert done.status == 1
    port = own.settings["interface"]["port"]
    assert f"Port {port} (interface.port) can't be listened on" in done.err
    assert f"(pid {own.part('interface')['pid']})" in done.err
    assert _processes_of(other.home) == []


def test_a_wrong_setting(tmp_path: Path) -> None:
    """Its path in the file, what it should be, and exit status 2."""
    ports = free_ports(1)
    other = Platform(tmp_path, {"router": {"prot": ports[0]}})
    done = other.operate("up")
    assert done.status == 2
    assert "kuramaconfig.yaml: router.prot: unknown setting; did you mean router.port?" in done.err


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _processes_of(home: Path) -> list[psutil.Process]:
    """Every process that has `home` in its command line or its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.environ().get("KURAMA_HOME", "")]
        except psutil.Error:
            continue
        if any(str(home) in word for word in words) and process.pid != os.getpid():
            found.append(process)
    return found


_SLOW_RELEASE = "web: gunicorn --bind $HOST:$PORT app:app\nrelease: sleep 2\n"
