"""Becomes a replica: joins its cgroups, takes its limits and its environment, and is replaced.

    python launch.py SPEC.json

It runs as a program of its own, with the standard library and nothing else, since each start of a
replica pays for it. The environment comes from a file that only the worker's user can read: on a
command line it would stand in the process list.
"""

import contextlib
import json
import os
import resource
import shlex
import signal
import sys
from pathlib import Path

# A replica rather than the platform, when the machine runs out of memory.
_OOM_SCORE = "500"
# What starts a jail finds the machine's own programs, and nothing that an app chose.
_JAILER = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
# What programs expect; the folders above keep others out.
_UMASK = 0o022


def main(spec_path: str) -> None:
    """Replace this process by what `spec_path` describes; see `replicas.py` for its keys."""
    spec = json.loads(Path(spec_path).read_text())
    for group in spec["cgroups"]:
        _join(Path(group["path"]), group["files"])
    for name, value in spec["rlimits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    if spec["confined"]:
        # Supervisord signals the whole group. bubblewrap's outer process would die of it and take
        # the replica along; what is inside gets the default back and may end in its own time.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.umask(_UMASK)
    os.chdir(spec["cwd"])
    environment = spec["environment"]
    if spec["environment_fd"] is not None:
        _hand_over(environment, spec["environment_fd"])
        environment = _JAILER
    os.execve(spec["argv"][0], spec["argv"], environment)  # noqa: S606 - no shell on purpose


def _hand_over(environment: dict[str, str], descriptor: int) -> None:
    """Leave the environment, as a shell reads it, in memory behind an open descriptor."""
    lines = (f"command export {name}={shlex.quote(text)}\n" for name, text in environment.items())
    memory = os.memfd_create("environment")
    with open(memory, "wb", closefd=False) as file:
        file.write(os.fsencode("".join(lines)))
    os.dup2(memory, descriptor)
    if memory != descriptor:
        os.close(memory)


def _join(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # The replica reads its own limits and use there, whatever our umask is.
    folder.chmod(0o755)
    for name, value in files.items():
        try:
            (folder / name).write_text(value)
        except OSError as error:
            # A kernel without that controller's feature: the replica runs without this limit.
            print(f"kurama: {folder / name}: {error.strerror}", file=sys.stderr)
    (folder / "cgroup.procs").write_text(str(os.getpid()))


if __name__ == "__main__":
    main(sys.argv[1])
