"""From a `print` in an app to its line in `kurama logs --tail`."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator

from bench.table import Row
from tests.conftest import eventually
from tests.harness import Platform, User

_PRINTS = 200
_PAUSE_S = 0.05
_LIMIT_MS = 300.0
_APP = """
import time
from flask import Flask
app = Flask(__name__)

@app.get("/")
def say():
    print(f"said at {time.time()}")
    return ""
"""


def run(platform: Platform, user: User) -> list[Row]:
    """The rows of the way of a line."""
    app = user.app("talker", {"app.py": _APP, "requirements.txt": "flask\n"})
    app.deploy()
    tail = subprocess.Popen(
        ["kurama", "logs", "--tail", "--json", "-n", "0"],
        cwd=app.folder,
        env=user.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    delays: list[float] = []
    reader = threading.Thread(target=_read, args=(tail, delays), daemon=True)
    reader.start()
    eventually(lambda: app.get() and delays, timeout=20, what="the tail shows lines")
    delays.clear()
    for _ in range(_PRINTS):
        app.get()
        time.sleep(_PAUSE_S)
    eventually(lambda: len(delays) >= _PRINTS, timeout=20, what="every line has come")
    tail.terminate()
    tail.wait(10)
    ordered = sorted(delays)
    return [
        Row("print to `logs --tail`, p50", ordered[len(ordered) // 2], "ms", digits=0),
        Row(
            "print to `logs --tail`, p99",
            ordered[int(0.99 * len(ordered))],
            "ms",
            _LIMIT_MS,
            "the limit",
        ),
    ]


def _read(tail: "subprocess.Popen[str]", delays: list[float]) -> None:
    for message in _messages(tail):
        _, said, at = message.partition("said at ")
        if said:
            delays.append((time.time() - float(at)) * 1000)


def _messages(tail: "subprocess.Popen[str]") -> Iterator[str]:
    assert tail.stdout is not None
    for line in tail.stdout:
        yield json.loads(line)["message"]
