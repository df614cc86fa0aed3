"""Python programs as subprocesses, and what they write on a pipe."""

import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask_kurama.parts import Joiner
from flask_kurama.record import decode

ROOT = Path(__file__).parents[3]
TIMEOUT_S = 60

# An instrumented application, and a way to ask it something.
PRELUDE = """
import logging, os, signal, sys, threading, time
from flask import Flask
from flask_kurama import Kurama
app = Flask("shop")
app.add_url_rule("/", "root", lambda: "hello")
Kurama(app)
log = logging.getLogger("x")
def ask(path="/"):
    return app.test_client().get(path, buffered=True)
"""


@dataclass(frozen=True)
class Ran:
    """What a program has written: the messages of its records and its other lines, in order."""

    status: int
    stdout: list[str]
    stderr: str


def run(program: str, *, prelude: str = PRELUDE, **options: Any) -> Ran:
    """Run a program to its end."""
    environment: Mapping[str, str] = options.pop("environment", {})
    done = subprocess.run(
        [sys.executable, *options.pop("flags", []), "-c", prelude + textwrap.dedent(program)],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        **options,
    )
    joiner = Joiner(lambda: 0.0)
    lines = [whole for line in done.stdout.splitlines(True) if (whole := joiner.join(line))]
    return Ran(done.returncode, [_shown(line) for line in lines], done.stderr.decode())


def _shown(line: bytes) -> str:
    record = decode(line)
    return record.message.partition(" in ")[0] if record else line.decode().rstrip("\n")
