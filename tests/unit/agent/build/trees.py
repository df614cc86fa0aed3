"""Pushed trees in a folder, and what is decided of them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.build import detect
from agent.build.plan import BuildPlan
from agent.build.pythons import Interpreter

PYTHONS = (
    Interpreter(Path("/opt/python3.13/bin/python"), (3, 13, 1)),
    Interpreter(Path("/opt/python3.11/bin/python"), (3, 11, 9)),
)
APP = "from flask import Flask\napp = Flask(__name__)\n"


def plan(folder: Path, files: Mapping[str, str | bytes], **config: str) -> BuildPlan:
    """What would be built of a tree with these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return detect.plan(folder, PYTHONS, environment=config)


def toml(table: Mapping[str, Any]) -> str:
    """A TOML document, with every value on one line."""
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(key)} = {_value(one)}" for key, one in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)
