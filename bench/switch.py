"""Requests that fail while what runs is changed under load, by wrk on loopback."""

import re
import shutil
import subprocess
import threading
from collections.abc import Callable

from bench.table import Row
from tests.harness import Checkout, Done, Platform, User, hello
from tests.load import visitors

_SECONDS = 10


def run(platform: Platform, user: User) -> list[Row]:
    """The rows of changes under load."""
    app = user.app("loaded", hello("0"))
    app.deploy()
    app.deploy(hello("1"))
    changes: dict[str, Callable[[], Done]] = {
        "deploy": lambda: app.deploy(hello("2")),
        "scale web=3": lambda: app.kurama("scale", "web=3"),
        "restart": lambda: app.kurama("restart"),
        "rollback": lambda: app.kurama("rollback"),
        "scale web=1": lambda: app.kurama("scale", "web=1"),
    }
    return [_under_load(platform, app, name, change) for name, change in changes.items()]


def _under_load(platform: Platform, app: Checkout, name: str, change: Callable[[], Done]) -> Row:
    port = platform.settings["router"]["port"]
    host = f"{app.name}.localhost:{port}"
    if shutil.which("wrk") is None:
        with visitors(host, port) as tally:
            assert change().status == 0
        note = f"0, of {tally.answered:,} answered (no wrk here: eight Python clients)"
        return Row(f"failed requests, {name}", len(tally.failures), "", note=note)
    said: list[str] = []
    load = threading.Thread(target=lambda: said.append(_wrk(host, port)))
    load.start()
    assert change().status == 0
    load.join(_SECONDS + 30)
    requests = int(_number(r"(\d+) requests in", said[0]))
    note = f"0, of {requests:,} in {_SECONDS} s of wrk with 16 connections"
    return Row(f"failed requests, {name}", _failed(said[0]), "", note=note)


def _wrk(host: str, port: int) -> str:
    command = ["wrk", "-t1", "-c16", f"-d{_SECONDS}s", "-H", f"Host: {host}"]
    command.append(f"http://127.0.0.1:{port}/")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _failed(said: str) -> int:
    """wrk's socket errors of all kinds, and answers that are no 2xx or 3xx."""
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    broken = sum(int(number) for number in errors.groups()) if errors else 0
    return broken + int(_number(r"Non-2xx or 3xx responses: (\d+)", said))


def _number(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else "0"
