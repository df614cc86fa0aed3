"""How long commands take, as whole processes."""

import time
from statistics import median

from bench.table import Row
from tests.harness import User

_TIMES = 11


def run(user: User) -> list[Row]:
    """The rows of commands; the floor is Python with nothing to do."""
    python = _median_ms(user, "python3", "-c", "pass")
    return [
        Row("kurama --help", _median_ms(user, "kurama", "--help"), "ms", 150.0, "the limit"),
        Row("kurama apps", _median_ms(user, "kurama", "apps"), "ms", 300.0, "the limit"),
        Row("  python3 -c pass, of it", python, "ms"),
    ]


def _median_ms(user: User, *command: str) -> float:
    found = []
    for _ in range(_TIMES):
        begun = time.perf_counter()
        user.run(*command)
        found.append((time.perf_counter() - begun) * 1000)
    return median(found)
