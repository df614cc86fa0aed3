"""Simulates the data stream: ten-field records to ingest or stdout, or HTTP requests to an app.

    python3 reqsim.py --rate 200 --duration 10 --apps 3          records to this machine's ingest
    python3 reqsim.py --stdout --seed 1 --count 5                the same, to look at
    python3 reqsim.py --url http://shop.localhost:5080           requests through the router

With a seed the records are the same each time, but for their times and UUIDs.
"""

import argparse
import http.client
import json
import os
import random
import signal
import socket
import sys
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask_kurama.record import Record, encode
from flask_kurama.uuid7 import uuid7

_ROUTES = (
    # method, route, an example of it, how often, typical milliseconds, how often it fails
    ("GET", "/", "/", 40, 12.0, 0.0),
    ("GET", "/products/<int:number>", "/products/{n}", 35, 18.0, 0.001),
    ("GET", "/search", "/search?q=tea", 12, 260.0, 0.002),
    ("POST", "/cart", "/cart", 8, 9.0, 0.0),
    ("POST", "/checkout", "/checkout", 5, 60.0, 0.05),
)
_BATCH_S = 0.02
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much: `rate` a second, for `duration` seconds or `count` records, whichever is first."""

    rate: float
    duration: float
    count: int | None
    apps: Sequence[str]
    seed: int | None


class Simulator:
    """Makes records that look like a shop's."""

    def __init__(self, plan: Plan) -> None:
        self._apps = plan.apps
        self._random = random.Random(plan.seed)
        self._weights = [route[3] for route in _ROUTES]
        self._load = {app: self._random.uniform(20, 60) for app in plan.apps}

    def record(self) -> tuple[str, Record]:
        """The next record, and the app that it is of."""
        app = self._random.choice(self._apps)
        method, route, example, _, typical, fails = self._random.choices(_ROUTES, self._weights)[0]
        path = example.format(n=self._random.randint(1, 5))
        failed = self._random.random() < fails
        status = 500 if failed else 200
        took = round(self._random.lognormvariate(0, 0.4) * typical, 3)
        load = self._load[app] = min(100.0, max(0.0, self._load[app] + self._random.gauss(0, 1)))
        return app, Record(
            timestamp=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            level="ERROR" if failed else "INFO",
            url=f"http://{app}.localhost:5080{path}",
            status=status,
            message=f"{method} {path} {status} in {took:.1f} ms",
            cpu_percent=round(load, 1),
            disk_percent=41.5,
            swap_percent=0.0,
            memory_percent=round(30 + load / 4, 1),
            uuid=uuid7(),
            method=method,
            route=route,
            duration_ms=took,
            queue_ms=round(self._random.expovariate(1), 1),
            request_id=f"{self._random.getrandbits(64):016x}",
        )


def paced(
    plan: Plan,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Yield how many are due now, at the plan's rate, until it ends. `clock` is in seconds."""
    begun = clock()
    made = 0
    most = plan.count if plan.count is not None else sys.maxsize
    while made < most:
        passed = clock() - begun
        if passed >= plan.duration:
            return
        due = min(most, int(passed * plan.rate) + 1) - made
        if due > 0:
            made += due
            yield due
        sleep(max(0.0, min(_BATCH_S, (made + 1) / plan.rate - passed)))


def write_records(plan: Plan) -> None:
    """Records, one a line, on stdout."""
    simulator = Simulator(plan)
    for due in paced(plan):
        for _ in range(due):
            _, record = simulator.record()
            sys.stdout.buffer.write(encode(record))
        sys.stdout.buffer.flush()


def send_records(plan: Plan, host: str, port: int, header: dict[str, Any]) -> int:
    """Records to ingest; return how many it says are safe. OSError and ValueError when it fails."""
    simulator = Simulator(plan)
    safe = 0
    with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
        connection.sendall(json.dumps({**header, "acks": True}).encode() + b"\n")
        with connection.makefile("rb") as answers:
            greeting = json.loads(answers.readline() or b'{"error": "it closed the connection"}')
            if "error" in greeting:
                raise ValueError(greeting["error"])
            for due in paced(plan):
                lines = [_for_ingest(*simulator.record(), header) for _ in range(due)]
                connection.sendall(b"".join(lines))
                while due > 0:
                    answer = answers.readline()
                    if not answer:
                        raise ValueError(f"ingest closed the connection; {safe} records are safe")
                    answered = int(answer)
                    safe += answered
                    due -= answered
    return safe


def _for_ingest(app: str, record: Record, header: dict[str, Any]) -> bytes:
    """A record's line; with the platform's token it says itself whose it is."""
    line = encode(record)
    if "app" in header:
        return line
    origin = {"app": app, "process": "web", "replica": "web.1"}
    return line[:-2] + b"," + json.dumps(origin).encode()[1:] + b"\n"


def send_requests(plan: Plan, url: str, clients: int) -> Counter[int]:
    """Requests to `url` over kept connections; return how many answers of each status came.

    0 counts requests that got no answer.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url!r} is no address: write http://app.localhost:5080")
    # glibc doesn't know *.localhost; browsers and curl do.
    host = "127.0.0.1" if parts.hostname.endswith(".localhost") else parts.hostname
    port = parts.port or 80
    answers: Counter[int] = Counter()
    lock = threading.Lock()
    due = threading.Semaphore(0)
    ended = threading.Event()

    def client(number: int) -> None:
        chooser = random.Random(None if plan.seed is None else plan.seed + number)
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        while True:
            if due.acquire(timeout=0.1):
                status = _ask(connection, chooser, parts.netloc)
                with lock:
                    answers[status] += 1
            elif ended.is_set():
                return

    threads = [threading.Thread(target=client, args=(n,), daemon=True) for n in range(clients)]
    for thread in threads:
        thread.start()
    for count in paced(plan):
        due.release(count)
    ended.set()
    for thread in threads:
        thread.join(_TIMEOUT_S)
    return answers


def _ask(connection: http.client.HTTPConnection, chooser: random.Random, host: str) -> int:
    method, _, example, *_ = chooser.choices(_ROUTES, [route[3] for route in _ROUTES])[0]
    path = example.format(n=chooser.randint(1, 5))
    headers = {"Host": host, "User-Agent": "reqsim"}
    body = f"product={chooser.randint(1, 5)}" if method == "POST" else None
    if body:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return 0
    return response.status


def default_token() -> str | None:
    """KURAMA_INGEST_TOKEN, or the platform's own token where this machine's operator runs this."""
    given = os.environ.get("KURAMA_INGEST_TOKEN")
    if given:
        return given
    home = Path(os.environ.get("KURAMA_HOME", "~/.kurama")).expanduser()
    with suppress(OSError):
        return (home / "secrets" / "ingest").read_text().strip()
    return None


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="reqsim.py", description="Simulate Kurama's data stream, or traffic for an app."
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--to", default="127.0.0.1:5140", metavar="HOST:PORT", help="ingest")
    where.add_argument("--stdout", action="store_true", help="write records to standard output")
    where.add_argument("--url", help="send HTTP requests to an app instead of records")
    parser.add_argument("--rate", type=float, default=50.0, help="a second [50]")
    parser.add_argument("--duration", type=float, default=10.0, help="in seconds [10]")
    parser.add_argument("--count", type=int, help="stop after so many")
    parser.add_argument("--apps", default="1", help="how many apps (sim-1 …), or their names: a,b")
    parser.add_argument("--seed", type=int, help="make the same stream again")
    parser.add_argument("--clients", type=int, default=8, help="connections, with --url [8]")
    parser.add_argument("--app", help="send as this app, with a token of its owner")
    parser.add_argument("--token", help="the token; by default the platform's own, if readable")
    chosen = parser.parse_args(arguments)
    if not chosen.rate > 0 or not chosen.duration > 0:
        parser.error("--rate and --duration must be above 0")
    if chosen.clients < 1:
        parser.error("--clients must be above 0")
    if not app_names(chosen.apps) or "" in app_names(chosen.apps):
        parser.error(f"--apps: {chosen.apps!r} names no apps: write 3, or a,b")
    return chosen


def app_names(text: str) -> list[str]:
    """The apps of `--apps`: so many made-up ones, or these."""
    if text.isdecimal():
        return [f"sim-{number}" for number in range(1, int(text) + 1)]
    return text.split(",")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return the exit status."""
    chosen = parse(arguments)
    apps = app_names(chosen.apps)
    plan = Plan(chosen.rate, chosen.duration, chosen.count, apps, chosen.seed)
    try:
        return _run(chosen, plan)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _run(chosen: argparse.Namespace, plan: Plan) -> int:
    if chosen.stdout:
        write_records(plan)
        return 0
    if chosen.url:
        answers = send_requests(plan, chosen.url, chosen.clients)
        for status, count in sorted(answers.items()):
            print(f"{status or 'no answer'}: {count}")
        return 0 if not answers[0] else 1
    token = chosen.token or default_token()
    if not token:
        raise ValueError("no token: give --token, or KURAMA_INGEST_TOKEN, on this machine")
    header: dict[str, Any] = {"token": token}
    if chosen.app:
        header["app"] = chosen.app
    host, _, port = chosen.to.rpartition(":")
    if not port.isdecimal():
        raise ValueError(f"{chosen.to!r} is no address: write host:port")
    safe = send_records(plan, host or "127.0.0.1", int(port), header)
    print(f"{safe} records are on the bus")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.exit(main())
