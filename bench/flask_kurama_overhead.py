"""What flask_kurama adds to a request, beside bare Flask and two well-known instruments.

Each contender is one process with the same application, called in process as a WSGI server would,
its stdout a pipe that another process drains. All live at once and take turns, round by round, so
that what disturbs the machine disturbs all of them alike. A figure is the median over the rounds.

    python -m bench.flask_kurama_overhead
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from flask import Flask
from werkzeug.test import create_environ

from bench.table import Row, show

LIMIT_US = 40.0
ROUNDS = 60
REQUESTS = 400
WARM_UP = 500
BARE = "bare Flask"
_MODULE = "bench.flask_kurama_overhead"


def _bare(app: Flask) -> None:
    """Nothing added."""


def _kurama(app: Flask) -> None:
    from flask_kurama import Kurama

    Kurama(app)


def _prometheus(app: Flask) -> None:
    import_module("prometheus_flask_exporter").PrometheusMetrics(app)


def _opentelemetry(app: Flask) -> None:
    """Spans, given to an exporter that throws them away."""
    flask = import_module("opentelemetry.instrumentation.flask")
    trace = import_module("opentelemetry.sdk.trace")
    export = import_module("opentelemetry.sdk.trace.export")
    nowhere = type(
        "Nowhere",
        (export.SpanExporter,),
        {"export": lambda self, spans: export.SpanExportResult.SUCCESS},
    )
    provider = trace.TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(nowhere()))
    flask.FlaskInstrumentor().instrument_app(app, tracer_provider=provider)


CONTENDERS: dict[str, Callable[[Flask], None]] = {
    BARE: _bare,
    "flask_kurama": _kurama,
    "prometheus-flask-exporter": _prometheus,
    "OpenTelemetry": _opentelemetry,
}


def run(rounds: int = ROUNDS, requests: int = REQUESTS) -> list[Row]:
    """Measure all contenders, in turns of `requests` requests."""
    with ExitStack() as stack:
        turns = {name: stack.enter_context(_Contender(name, requests)) for name in CONTENDERS}
        taken = [{name: turn.take() for name, turn in turns.items()} for _ in range(rounds)]
    return [_row(name, taken) for name in CONTENDERS]


def _row(name: str, taken: Sequence[Mapping[str, float]]) -> Row:
    """Of each round's figures, in microseconds for a request by contender."""
    request = statistics.median(figures[name] for figures in taken)
    if name == BARE:
        return Row(name, request, "µs", note="a request", digits=1)
    overhead = statistics.median(figures[name] - figures[BARE] for figures in taken)
    quietest = min(figures[name] for figures in taken) - min(figures[BARE] for figures in taken)
    note = f"the limit; {quietest:.1f} µs in the quietest rounds"
    return Row(f"{name} adds", overhead, "µs", LIMIT_US, note, digits=1)


class _Contender:
    """A process that takes a turn for each line on its stdin and answers on a pipe."""

    def __init__(self, name: str, requests: int) -> None:
        self._argv = ["--contender", name, "--requests", str(requests)]

    def __enter__(self) -> "_Contender":
        replies, theirs = os.pipe()
        self._drain = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, *self._argv, "--replies", str(theirs)],
            stdin=subprocess.PIPE,
            stdout=self._drain.stdin,
            pass_fds=[theirs],
        )
        os.close(theirs)
        self._replies = os.fdopen(replies)
        assert self._drain.stdin is not None
        self._drain.stdin.close()
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._drain.wait(timeout=10)
        self._replies.close()

    def take(self) -> float:
        """Microseconds for a request in one turn."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return float(self._replies.readline())


def _contend(name: str, requests: int, replies: int) -> None:
    """The contender's process."""
    app = Flask("contender")

    app.add_url_rule("/items/<int:number>", view_func=_item)
    CONTENDERS[name](app)
    environ = create_environ("/items/3?q=lamp", headers={"User-Agent": "bench"})
    for _ in range(WARM_UP):
        _request(app, environ)
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(requests):
            _request(app, environ)
        took = time.perf_counter() - start
        os.write(replies, f"{took / requests * 1e6}\n".encode())


def _item(number: int) -> dict[str, int]:
    return {"number": number}


def _request(app: Flask, environ: dict[str, Any]) -> None:
    body: Any = app(dict(environ), lambda *_: lambda _: None)
    for _ in body:
        pass
    body.close()


def main() -> None:
    """Print the table; with --contender, be one."""
    parser = argparse.ArgumentParser(description="What flask_kurama adds to a request")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--replies", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    if options.contender:
        _contend(options.contender, options.requests, options.replies)
    else:
        show("library", run(options.rounds, options.requests))


if __name__ == "__main__":
    main()
