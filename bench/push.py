"""From `git push` to the new code's answer, with its parts; the same for a first push.

The floor is the app's own gunicorn, started by hand in its own environment until its first 200.
"""

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from bench.table import Row
from tests.harness import Checkout, Platform, User, free_ports, hello

_PUSHES = 7
_FIRST_PUSHES = 3
_LIMIT_MS = 1200.0
_FIRST_LIMIT_MS = 4000.0


def run(platform: Platform, user: User) -> list[Row]:
    """The rows of pushes."""
    app = user.app("bench", hello("0"))
    app.deploy()
    pushes = [_push(app, f"{number}") for number in range(1, _PUSHES + 1)]
    total = median(took for took, _, _ in pushes)
    answering = median(answered for _, answered, _ in pushes)
    floor = median(_gunicorn_by_hand(platform) for _ in range(_PUSHES))
    rows = [
        Row("code-only push, until the new code answers", answering, "ms", _LIMIT_MS, "the limit"),
        Row("  the same, in units of the floor", answering, "ms", floor, "gunicorn by hand"),
        Row("  until git push has ended", total, "ms", _LIMIT_MS, "the limit"),
    ]
    rows += _parts([timings for _, _, timings in pushes], total)
    rows.append(_hooks())
    first = median(_first_push(user, number) for number in range(_FIRST_PUSHES))
    rows.append(
        Row("first push of a small app, warm cache", first, "ms", _FIRST_LIMIT_MS, "the limit")
    )
    return rows


def _push(app: Checkout, version: str) -> tuple[float, float, dict[str, float]]:
    """Push once: milliseconds until git ended, until the new code answered, and the parts."""
    app.commit(hello(version))
    answered: list[float] = []
    begun = time.perf_counter()
    watcher = threading.Thread(target=_watch, args=(app, f"hello {version}", begun, answered))
    watcher.start()
    done = app.push()
    ended = (time.perf_counter() - begun) * 1000
    watcher.join(30)
    assert done.status == 0, done.all
    return ended, answered[0], _timings(app)


def _watch(app: Checkout, wanted: str, begun: float, answered: list[float]) -> None:
    while time.perf_counter() - begun < 30:
        if app.get() == (200, wanted):
            answered.append((time.perf_counter() - begun) * 1000)
            return
        time.sleep(0.005)


def _timings(app: Checkout) -> dict[str, float]:
    """What the platform says of the app's latest deploy, in seconds by part."""
    platform = app.user.platform
    number = 1
    latest: Any = None
    while True:
        status, deploy = platform.api(app.user, "GET", f"/apps/{app.name}/deploys/{number}")
        if status == 200:
            latest = deploy
        elif latest is not None:
            return dict(latest["timings"])
        number += 1


def _parts(timings: list[dict[str, float]], total: float) -> list[Row]:
    names = [name for name in timings[0] if name not in ("total", "release")]
    rows = [
        Row(f"    {name}", median(1000 * one[name] for one in timings), "ms", digits=1)
        for name in names
    ]
    deploy = median(1000 * one["total"] for one in timings)
    git = Row("    git, its hooks and HTTP", total - deploy, "ms", digits=1)
    return [git, *rows]


def _hooks() -> Row:
    """A hook that has nobody to ask: what it costs to start one."""
    from tests.harness import ROOT

    took = _median_ms(
        lambda: subprocess.run(
            [sys.executable, "-S", "-E", str(ROOT / "hooks" / "pre-receive")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
        )
    )
    return Row("    of it: starting a hook (there are two)", took, "ms", digits=1)


def _gunicorn_by_hand(platform: Platform) -> float:
    """Milliseconds from starting the app's gunicorn to its first 200."""
    folder = platform.home / "worker" / "apps" / "bench"
    gunicorn = next(folder.glob("venvs/*/bin/gunicorn"))
    tree = next(folder.glob("images/*/src"))
    port = free_ports(1)[0]
    command = [str(gunicorn), "--bind", f"127.0.0.1:{port}", "--threads", "8", "app:app"]
    begun = time.perf_counter()
    server = subprocess.Popen(
        command, cwd=tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not _answers(port):
            time.sleep(0.002)
        return (time.perf_counter() - begun) * 1000
    finally:
        server.terminate()
        server.wait(30)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _first_push(user: User, number: int) -> float:
    """Milliseconds of an app's first push."""
    app = user.app(f"first-{number}", hello())
    begun = time.perf_counter()
    done = app.push()
    took = (time.perf_counter() - begun) * 1000
    assert done.status == 0, done.all
    return took


def _median_ms(action: Callable[[], object], times: int = 9) -> float:
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        found.append((time.perf_counter() - begun) * 1000)
    return median(found)
