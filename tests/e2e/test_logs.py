"""Stories of records: live lines, filters, and an app that prints more than anybody reads."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import eventually
from tests.harness import Checkout, Platform, User

_TALKER = """
import logging, sys
from flask import Flask, request

app = Flask(__name__)

@app.get("/say/<level>/<text>")
def say(level, text):
    app.logger.log(getattr(logging, level.upper()), text)
    return text

@app.get("/print/<text>")
def out(text):
    print(text)
    return text

@app.get("/boom")
def boom():
    raise ValueError("as was asked for")
"""
# A megabyte a second, and bytes that are no text, for as long as it runs.
_LOUD = """
import os, threading, time
from flask import Flask

app = Flask(__name__)

def shout():
    while True:
        os.write(1, b"x" * 999 + b"\\n")
        os.write(1, b"\\x00\\xff\\xfe\\x1b[2J binary\\n")
        time.sleep(0.001)

threading.Thread(target=shout, daemon=True).start()

@app.get("/")
def index():
    return "loud"
"""


@pytest.fixture(scope="module")
def talker(ann: User) -> Checkout:
    """An app that says what it is asked to."""
    app = ann.app("talker", {"app.py": _TALKER, "requirements.txt": "flask\n"})
    app.deploy()
    return app


@contextmanager
def tailing(app: Checkout, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """`kurama logs --tail`, ended by Ctrl-C."""
    process = subprocess.Popen(
        ["kurama", "logs", "--tail", *arguments],
        cwd=app.folder,
        env=app.user.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)


def _read_until(process: "subprocess.Popen[str]", wanted: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if wanted in line:
            return line
    raise AssertionError(f"it ended without {wanted!r}")


def test_what_is_printed_is_tailed(talker: Checkout) -> None:
    """A print is a live line; with --json it is a record; Ctrl-C leaves without a traceback."""
    talker.get("/print/before")
    eventually(lambda: "before" in talker.kurama("logs").out)
    with tailing(talker) as plain, tailing(talker, "--json") as lines:
        _read_until(plain, "before")
        _read_until(lines, "before")
        talker.get("/print/a-new-line")
        assert "web.1" in _read_until(plain, "a-new-line")
        record = json.loads(_read_until(lines, "a-new-line"))
        assert (record["message"], record["level"]) == ("a-new-line", "INFO")
    assert plain.returncode in (0, 130)


def test_filters(talker: Checkout) -> None:
    """Level, text, process, time and number choose; what a person asks for wrongly is explained."""
    for level, text in (("info", "quiet-word"), ("warning", "loud-word"), ("error", "last-word")):
        assert talker.get(f"/say/{level}/{text}")[0] == 200

    def messages(*arguments: str) -> list[str]:
        return [record["message"] for record in talker.json("logs", *arguments)]

    eventually(lambda: "last-word" in messages())
    assert {"loud-word", "last-word"} <= set(messages("--level", "warning"))
    assert "quiet-word" not in messages("--level", "warning")
    assert messages("--grep", "LOUD-word", "--level", "warning") == ["loud-word"]
    assert messages("--process", "worker") == []
    assert "last-word" in messages("--process", "web.1", "--since", "1m")
    assert "last-word" not in messages("--until", "1h")
    assert len(messages("-n", "2")) == 2
    wrong = talker.kurama("logs", "--since", "yesterdayish")
    assert wrong.status == 1
    assert "yesterdayish" in wrong.err


def test_a_traceback_is_one_record(talker: Checkout) -> None:
    """With the URL and the id of the request that it belongs to."""
    assert talker.get("/boom")[0] == 500

    def found() -> list[dict[str, object]]:
        return [one for one in talker.json("logs") if "as was asked for" in one["message"]]

    (record,) = eventually(found)
    assert str(record["message"]).count("Traceback") == 1
    assert str(record["url"]).endswith("/boom")
    assert record["level"] == "ERROR"
    requests = [one for one in talker.json("logs") if one["route"] == "/boom"]
    assert {one["request_id"] for one in requests} == {record["request_id"]}


def test_a_loud_app_harms_nobody(platform: Platform, ann: User, talker: Checkout) -> None:
    """It answers, can be read and stopped; another app's records come as ever."""
    loud = ann.app("loud", {"app.py": _LOUD, "requirements.txt": "flask\n"})
    loud.deploy()
    assert loud.get() == (200, "loud")
    eventually(lambda: any("binary" in one["message"] for one in loud.json("logs", "-n", "50")))
    shown = loud.kurama("logs", "-n", "50").out
    assert "\x00" not in shown
    assert "\x1b" not in shown, "an app must not steer the terminal of who reads its logs"
    talker.get("/print/beside-the-noise")
    eventually(lambda: "beside-the-noise" in talker.kurama("logs").out, timeout=20)
    assert {part["state"] for part in platform_parts(platform)} == {"ok"}
    assert loud.kurama("destroy", "--confirm", "loud").status == 0
    assert loud.get()[0] == 404


def platform_parts(platform: Platform) -> list[dict[str, object]]:
    """What `kurama status` says."""
    parts: list[dict[str, object]] = json.loads(platform.operate("status", "--json").out)["parts"]
    return parts
