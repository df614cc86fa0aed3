"""What `launch.py` is told: written to a file that only the worker's user can read."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.sandbox.cgroups import Group
from agent.sandbox.jail import Jail, View

_LAUNCH = Path(__file__).with_name("launch.py")
_OPEN_FILES = 8192
_PROCESSES = 1024
# Where the program finds its environment, and what takes it: a shell, since that is everywhere.
# `command` keeps a name that means something to the shell (OPTIND, UID) from ending it.
_ENVIRONMENT_FD = 9
_TAKE_ENVIRONMENT = (
    "sh",
    "-c",
    f'. /proc/self/fd/{_ENVIRONMENT_FD}; exec {_ENVIRONMENT_FD}<&-; exec "$@"',
    "sh",
)
# A stop signals the whole group. Without a trap the shell would die of it at once, and bubblewrap
# would kill at that moment what the shell has started (without bubblewrap it would live on,
# forgotten). With one the shell waits for its command and ends with it, as it ended.
_PATIENT = "trap 'exit $?' TERM"


def shell(command: str, name: str = "") -> list[str]:
    """The argument list of a shell that runs `command` and lets it end in its own time.

    With `name` it says last with which status that ended by itself.
    """
    script = f"{_PATIENT}\n{command}"
    if name:
        script += f'\nstatus=$?\necho "{name} ended with status $status"\nexit $status'
    return ["sh", "-c", script]


def write(
    path: Path,
    jail: Jail,
    view: View,
    command: Sequence[str],
    environment: Mapping[str, str],
    groups: Sequence[Group],
) -> list[str]:
    """Write the description of `command` in `jail` to `path`; return what launches it.

    What confines a program never sees the program's environment, which is the app's to choose: it
    runs outside of the jail, or with root's id still, and LD_PRELOAD or PATH would decide what it
    loads and starts. The environment is taken over inside, when there are no rights left to lose.
    """
    limits = {"RLIMIT_CORE": 0, "RLIMIT_NOFILE": _OPEN_FILES}
    if view.uid is not None:
        # Counted by user id, so only where the app has one of its own.
        limits["RLIMIT_NPROC"] = _PROCESSES
    described = {
        "argv": jail.argv([*_TAKE_ENVIRONMENT, *command] if jail.confines else command, view),
        "environment": dict(environment),
        "environment_fd": _ENVIRONMENT_FD if jail.confines else None,
        "cwd": "/" if jail.confines else str(view.tree),
        "confined": jail.confines,
        "rlimits": limits,
        "cgroups": [{"path": str(group.path), "files": dict(group.files)} for group in groups],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(described))
    # -P and -S: neither this folder's modules nor site-packages, which would cost 10 ms.
    return [sys.executable, "-P", "-S", "-E", str(_LAUNCH), str(path)]
