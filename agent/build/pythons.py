"""The Python interpreters of this worker."""

import glob
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_OLDEST = (3, 9, 0)
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython on this machine; `version` as (3, 11, 7)."""

    path: Path
    version: tuple[int, int, int]

    @property
    def text(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))


def installed(uv: Path, host: Mapping[str, str] | None = None) -> list[Interpreter]:
    """Every CPython from 3.9 on, the newest first, one for each version; uv finds them."""
    host = os.environ if host is None else host
    command = [str(uv), "python", "list", "--only-installed", "--output-format", "json"]
    environment = {
        **host,
        "PATH": os.pathsep.join(_folders(host)),
        "UV_PYTHON_DOWNLOADS": "never",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    own = Interpreter(Path(_base_executable()), sys.version_info[:3])
    found = {own.version: own}
    for entry in json.loads(done.stdout or "[]"):
        interpreter = _interpreter(entry)
        if interpreter is not None:
            found.setdefault(interpreter.version, interpreter)
    return sorted(found.values(), key=lambda one: one.version, reverse=True)


def _interpreter(entry: Mapping[str, object]) -> Interpreter | None:
    """One of uv's entries, if it is one that apps can be given."""
    if entry.get("implementation") != "cpython" or entry.get("variant") != "default":
        return None
    try:
        major, minor, patch = (int(part) for part in str(entry["version"]).split("."))
    except ValueError:
        # A pre-release: nobody asks for one without knowing.
        return None
    version = (major, minor, patch)
    return Interpreter(Path(str(entry["path"])), version) if version >= _OLDEST else None


def _folders(host: Mapping[str, str]) -> Iterable[str]:
    """Where to look: PATH without pyenv's shims, which may lead nowhere, and what pyenv has."""
    root = Path(host.get("PYENV_ROOT") or Path.home() / ".pyenv")
    # Not Path.glob, which raises where a folder may not be read: another user's pyenv.
    pyenv = sorted(glob.glob(str(root / "versions" / "*" / "bin")))  # noqa: PTH207
    path = [folder for folder in host.get("PATH", "").split(os.pathsep) if folder]
    return [*(folder for folder in path if Path(folder) != root / "shims"), *pyenv]


def _base_executable() -> str:
    """The interpreter behind the virtual environment that runs this."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)
