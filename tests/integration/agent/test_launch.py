"""What confines a program never sees the environment that it is to have."""

import json
import subprocess
import sys
from pathlib import Path

from agent.sandbox import spec
from agent.sandbox.jail import Jail, View

# In the place of bubblewrap: writes down its own environment, and runs the command without a jail.
_RECORDS = """#!/bin/sh
env > {seen}
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""
_SHOWS = "import json, os; print(json.dumps(dict(os.environ)))"


def _run(folder: Path, jail: Jail, environment: dict[str, str]) -> dict[str, str]:
    view = View("app", None, folder, folder, folder)
    command = [sys.executable, "-c", _SHOWS]
    launch = spec.write(folder / "spec.json", jail, view, command, environment, [])
    done = subprocess.run(launch, env={}, capture_output=True, text=True, check=True, timeout=30)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _recording(folder: Path) -> Jail:
    program = folder / "bwrap"
    program.write_text(_RECORDS.format(seen=folder / "seen"))
    program.chmod(0o755)
    return Jail(program, overlay=False)


def test_only_the_program_gets_the_environment(tmp_path: Path) -> None:
    """Else LD_PRELOAD and PATH, which apps choose, would decide what runs outside of the jail."""
    chosen = {
        "LD_PRELOAD": "",
        "PATH": "/app/bin:/usr/bin:/bin",
        "SECRET": "a 'quoted' \"value\"\nwith $(two) `lines` \\ and é",
        "EMPTY": "",
    }
    assert chosen.items() <= _run(tmp_path, _recording(tmp_path), chosen).items()
    seen = (tmp_path / "seen").read_text()
    assert "PATH=/usr/local/bin:/usr/bin:/bin\n" in seen
    assert not [name for name in ("LD_PRELOAD", "SECRET", "EMPTY") if name in seen]


def test_names_that_mean_something_to_a_shell(tmp_path: Path) -> None:
    """They can't keep the program from starting."""
    odd = {"IFS": "x", "UID": "7", "PPID": "7", "OPTIND": "no number", "PS4": "$(exit 1)"}
    shown = _run(tmp_path, _recording(tmp_path), {**odd, "AFTER": "there"})
    assert shown["AFTER"] == "there"


def test_unconfined_there_is_nothing_to_keep_it_from(tmp_path: Path) -> None:
    """The program is started with its environment."""
    shown = _run(tmp_path, Jail(None, overlay=False), {"PATH": "/usr/bin:/bin", "A": "1"})
    assert shown["A"] == "1"
