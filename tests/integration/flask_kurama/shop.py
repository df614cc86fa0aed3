"""A small shop, as a user would write it: nothing of Kurama in it. The tests' servers run it."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, send_file

app = Flask(__name__)
other = logging.getLogger("other.library")
app.logger.info("ready")


def item(number: int) -> dict[str, int]:
    return {"number": number}


def say() -> str:
    print("before")
    app.logger.info("said %s", "hello")
    print("between")
    other.warning("warned")
    other.debug("not shown")
    print("after")
    return "said"


def boom() -> str:
    raise ValueError("bad thing")


def stream() -> Response:
    def pieces() -> Iterator[str]:
        for _ in range(3):
            yield "x" * 10
            time.sleep(0.05)

    return Response(pieces())


def endless() -> Response:
    def pieces() -> Iterator[str]:
        for _ in range(3000):
            yield "x" * 10_000
            time.sleep(0.01)

    return Response(pieces())


def broken() -> Response:
    def pieces() -> Iterator[str]:
        yield "x"
        raise RuntimeError("broke in the middle")

    return Response(pieces())


def file() -> Response:
    return send_file(Path(__file__))


def big() -> str:
    """A message of 20 KB, and a line that is printed."""
    name = request.args["name"]
    app.logger.info("%s %s", name, 'é"\n' * 5000)
    print(f"printed {name} " + "y" * 1000)
    return str(os.getpid())


def flood() -> str:
    """As much as is asked for, by logging alone."""
    for _ in range(int(request.args["count"])):
        app.logger.info("flood %s", "z" * 20_000)
    return "flooded"


def hang() -> str:
    time.sleep(60)
    return "never"


VIEWS: dict[str, Callable[..., Any]] = {
    "/items/<int:number>": item,
    "/say": say,
    "/boom": boom,
    "/stream": stream,
    "/endless": endless,
    "/broken": broken,
    "/file": file,
    "/big": big,
    "/flood": flood,
    "/hang": hang,
}
for rule, view in VIEWS.items():
    app.add_url_rule(rule, view_func=view)

if "explicit" in os.environ.get("LIBRARY_APP", ""):
    from flask_kurama import Kurama

    Kurama(app)
