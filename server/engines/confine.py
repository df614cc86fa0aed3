"""A confinement for PostgreSQL where Kurama is run by root, since PostgreSQL refuses to be root.

The program gets a user id of its own and sees only the system's libraries, its programs and its
data. A user entry in /etc/passwd, or a chmod of root's home, is not needed for that.
"""

from collections.abc import Sequence
from pathlib import Path

from server.engines import binaries
from server.errors import EngineError

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/localtime", "/etc/ssl")


def argv(
    command: Sequence[str],
    *,
    uid: int,
    readable: Sequence[Path],
    writable: Sequence[Path],
    passwd: Path,
) -> list[str]:
    """`command` as user `uid`, seeing the folders `readable` and `writable` at their own paths.

    `passwd` is a file that names the user. The outer process ignores the stop signals: supervisord
    sends them to the whole group, and it is PostgreSQL that must hear them.
    """
    bubblewrap = binaries.bubblewrap()
    if bubblewrap is None:
        raise EngineError(
            "PostgreSQL refuses to be run by root, and bubblewrap, which would help, is missing",
            "Run Kurama as an ordinary user, install bubblewrap 0.11, or set database.url.",
        )
    line = ["env", "--ignore-signal=INT", "--ignore-signal=TERM", str(bubblewrap)]
    line += ["--unshare-pid", "--unshare-ipc", "--die-with-parent", "--cap-drop", "ALL"]
    for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
        line += ["--cap-add", capability]
    # First of all: what is shown below may itself be under /tmp.
    line += ["--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 - the confined program's own
    line += _ancestors([*readable, *writable, Path("/etc/passwd")])
    for path in _SYSTEM:
        line += ["--ro-bind-try", path, path]
    line += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108
    for folder in readable:
        line += ["--ro-bind", str(folder), str(folder)]
    for folder in writable:
        line += ["--bind", str(folder), str(folder)]
    line += ["--ro-bind", str(passwd), "/etc/passwd", "--chdir", "/", "--"]
    line += ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    line += ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
    return [*line, "env", "--default-signal=INT", "--default-signal=TERM", *command]


def _ancestors(paths: Sequence[Path]) -> list[str]:
    """Make the folders above `paths` passable: bubblewrap's own would be open to root alone."""
    folders = {parent for path in paths for parent in path.parents} - {Path("/")}
    kept = sorted(folder for folder in folders if not folder.is_relative_to("/usr"))
    return [word for folder in kept for word in ("--perms", "0755", "--dir", str(folder))]
