"""Who is logged in where: one file, which only its owner can read."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_SERVER = "http://127.0.0.1:5001"


@dataclass(frozen=True, slots=True)
class Login:
    """An account on a server, with its token."""

    server: str
    email: str
    token: str


class Credentials:
    """The logins of this user, under `folder`. The server that was logged in to last is first."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "credentials.json"
        self.git_file = folder / "git-credentials"

    def all(self) -> list[Login]:
        """Every login, the latest first."""
        try:
            found = json.loads(self._path.read_text())
            return [Login(one["server"], one["email"], one["token"]) for one in found["logins"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def on(self, server: str) -> Login | None:
        """The login on `server`, or None."""
        return next((login for login in self.all() if login.server == server), None)

    def remember(self, login: Login) -> None:
        """Add a login, or replace the one on the same server."""
        others = [one for one in self.all() if one.server != login.server]
        self._write([login, *others])

    def forget(self, server: str) -> None:
        """Drop the login on `server`."""
        self._write([one for one in self.all() if one.server != server])

    def _write(self, logins: list[Login]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        listed = [{"server": o.server, "email": o.email, "token": o.token} for o in logins]
        fresh = self._path.with_suffix(".tmp")
        # One that was left over may be anybody's to read.
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps({"logins": listed}, indent=2))
        fresh.replace(self._path)


def load() -> Credentials:
    """The credentials under $XDG_CONFIG_HOME/kurama, by default ~/.config/kurama."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return Credentials((Path(base) if base else Path.home() / ".config") / "kurama")
