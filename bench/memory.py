"""What each part of the platform holds at rest: PSS, which counts shared pages once."""

import json

from bench.table import Row
from tests.harness import Platform

_LIMIT_MB = 450.0


def run(platform: Platform) -> list[Row]:
    """A row for each part, and their sum."""
    parts = json.loads(platform.operate("status", "--json").out)["parts"]
    rows = [Row(f"  {part['name']}", part["memory"] / 1e6, "MB") for part in parts]
    total = sum(row.value for row in rows)
    return [Row("platform at rest, PSS", total, "MB", _LIMIT_MB, "the limit"), *rows]
