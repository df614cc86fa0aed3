"""What git is asked for: remotes, pushes, and where it finds the token."""

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kurama_cli.errors import CommandFailed

_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote of this folder's repository that leads to a Kurama app."""

    name: str
    server: str
    app: str


def kurama_remotes() -> list[Remote]:
    """The remotes here whose address is SERVER/git/APP.git; none outside a repository."""
    listed = _git("config", "--get-regexp", r"^remote\..*\.url$", check=False)
    found = []
    for line in listed.splitlines():
        key, _, url = line.partition(" ")
        server, separator, repository = url.partition("/git/")
        app = repository.removesuffix(".git")
        if separator and app != repository and "/" not in app and server.startswith("http"):
            name = key.removeprefix("remote.").removesuffix(".url")
            found.append(Remote(name, _without_user(server), app))
    return found


def _without_user(server: str) -> str:
    """An address as `kurama login` writes it: a password in it is git's own matter."""
    scheme, separator, rest = server.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def is_repository() -> bool:
    """Whether this folder belongs to a git repository."""
    return bool(_git("rev-parse", "--git-dir", check=False))


def add_remote(name: str, url: str) -> None:
    """Add a remote to this folder's repository."""
    _git("remote", "add", name, url)


def remove_remote(name: str) -> None:
    """Remove a remote; it doesn't matter if it isn't there."""
    _git("remote", "remove", name, check=False)


def remote_url(name: str) -> str:
    """The address of a remote, or ""."""
    return _git("config", "--get", f"remote.{name}.url", check=False)


def has_commits() -> bool:
    """Whether there is anything to push."""
    return bool(_git("rev-parse", "--verify", "--quiet", "HEAD", check=False))


def uncommitted() -> int:
    """How many files differ from the last commit."""
    return len(_git("status", "--porcelain", check=False).splitlines())


def push(remote: str, source: str, target: str) -> int:
    """Push with git's own output; return git's exit status."""
    return subprocess.run(["git", "push", remote, f"{source}:{target}"], check=False).returncode


def remember_token(server: str, token: str, file: Path) -> None:
    """Let git find `token` for `server`, through its own credential store in `file`."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)
    key = f"credential.{server}.helper"
    # The empty one first: no other helper of this user's is asked, or told, about this server.
    _git("config", "--global", "--replace-all", key, "")
    _git("config", "--global", "--add", key, f"store --file={shlex.quote(str(file))}")
    described = f"url={server}\nusername=kurama\npassword={token}\n\n"
    forget_token(server, file)
    _git("credential-store", f"--file={file}", "store", stdin=described)


def forget_token(server: str, file: Path) -> None:
    """Take the server's token out of git's credential store."""
    if file.exists():
        described = f"url={server}\nusername=kurama\n\n"
        _git("credential-store", f"--file={file}", "erase", stdin=described, check=False)


def _git(*arguments: str, check: bool = True, stdin: str | None = None) -> str:
    """Run git; return what it printed. CommandFailed where it failed and `check` asks."""
    command: Sequence[str] = ["git", *arguments]
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise CommandFailed("git is not installed", "Install git and try again.") from None
    if check and done.returncode:
        raise CommandFailed(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()
