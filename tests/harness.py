"""A whole platform of its own for tests: real engines, real services, real git, in a new home."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
_TIMEOUT_S = 120


@dataclass
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def all(self) -> str:
        """Everything it said."""
        return self.out + self.err


@dataclass
class User:
    """Somebody at a laptop: their own login, git configuration and folders."""

    platform: "Platform"
    folder: Path
    email: str
    token: str = field(default="", repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """Their environment: nothing of the machine's own user's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return {
            **kept,
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / ".config"),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "KURAMA_SERVER": "",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Test",
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_COMMITTER_NAME": "Test",
            "GIT_COMMITTER_EMAIL": self.email,
        }

    def run(
        self, *command: str, cwd: Path | None = None, stdin: str | None = None, timeout: float = 120
    ) -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def kurama(self, *arguments: str, cwd: Path | None = None, stdin: str | None = None) -> Done:
        """Run a kurama command."""
        return self.run("kurama", *arguments, cwd=cwd, stdin=stdin)

    def json(self, *arguments: str, cwd: Path | None = None) -> Any:
        """What a reading command says with --json."""
        done = self.kurama(*arguments, "--json", cwd=cwd)
        assert done.status == 0, done.all
        return json.loads(done.out)

    def git(self, *arguments: str, cwd: Path) -> Done:
        """Run a git command."""
        return self.run("git", *arguments, cwd=cwd)

    def app(self, name: str, files: Mapping[str, str | bytes]) -> "Checkout":
        """A new repository with one commit, and a new app for it."""
        folder = self.folder / name
        folder.mkdir()
        assert self.git("init", "--quiet", "--initial-branch=main", cwd=folder).status == 0
        checkout = Checkout(self, name, folder)
        checkout.commit(files)
        done = self.kurama("create", name, cwd=folder)
        assert done.status == 0, done.all
        return checkout


@dataclass
class Checkout:
    """A repository on a laptop, with a kurama remote."""

    user: User
    name: str
    folder: Path

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files, with their folders."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(
        self, files: Mapping[str, str | bytes] | None = None, message: str = "Change"
    ) -> str:
        """Write files and commit everything; return the commit."""
        self.write(files or {})
        assert self.user.git("add", "--all", cwd=self.folder).status == 0
        done = self.user.git("commit", "--quiet", "--allow-empty", "-m", message, cwd=self.folder)
        assert done.status == 0, done.all
        return self.user.git("rev-parse", "HEAD", cwd=self.folder).out.strip()

    def push(self, *arguments: str) -> Done:
        """git push kurama main, or with other arguments."""
        return self.user.git("push", *(arguments or ("kurama", "main")), cwd=self.folder)

    def deploy(self, files: Mapping[str, str | bytes] | None = None) -> Done:
        """Commit and push; the push must succeed."""
        self.commit(files)
        done = self.push()
        assert done.status == 0, done.all
        return done

    def kurama(self, *arguments: str, stdin: str | None = None) -> Done:
        """Run a kurama command in the repository."""
        return self.user.kurama(*arguments, cwd=self.folder, stdin=stdin)

    def json(self, *arguments: str) -> Any:
        """What a reading command says with --json."""
        return self.user.json(*arguments, cwd=self.folder)

    def get(self, path: str = "/", **headers: str) -> tuple[int, str]:
        """Ask the app through the router: the status and the body."""
        status, body, _ = self.user.platform.visit(self.name, path, headers=headers)
        return status, body


class Platform:
    """One home with its own ports."""

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.config = folder / "kuramaconfig.yaml"
        ports = free_ports(4)
        first_port = 20_000 + ports[0] % 49 * 200
        self.settings = {
            "home": str(self.home),
            "interface": {"port": ports[0]},
            "router": {"port": ports[1]},
            "ingest": {"port": ports[2]},
            "bus": {"port": ports[3]},
            "sandbox": {"first_port": first_port, "last_port": first_port + 199},
            **(settings or {}),
        }
        self.config.write_text(yaml.safe_dump(self.settings))
        self.password = ""

    @property
    def url(self) -> str:
        """The interface."""
        return f"http://127.0.0.1:{self.settings['interface']['port']}"

    @property
    def environment(self) -> dict[str, str]:
        """The operator's."""
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "KURAMA_CONFIG": str(self.config), "KURAMA_HOME": "", "PATH": path}

    def operate(self, *arguments: str, timeout: float = _TIMEOUT_S) -> Done:
        """Run one of the operator's commands."""
        done = subprocess.run(
            ["kurama", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def up(self) -> None:
        """Start it; the first time, remember the admin's password."""
        done = self.operate("up")
        assert done.status == 0, done.all
        found = re.search(r"^ +password +(\S+)$", done.out, re.MULTILINE)
        if found:
            self.password = found[1]

    def down(self) -> None:
        """Stop it."""
        done = self.operate("down")
        assert done.status == 0, done.all

    def part(self, name: str) -> Any:
        """One part, as `kurama status --json` says."""
        parts = json.loads(self.operate("status", "--json").out)["parts"]
        return next(part for part in parts if part["name"] == name)

    def log(self, name: str) -> str:
        """What a part has printed."""
        return (self.home / "logs" / f"{name}.log").read_text(errors="replace")

    def admin(self) -> User:
        """The first account, at a new laptop."""
        return self.log_in("admin@localhost", self.password)

    def user(self, email: str) -> User:
        """A new account, at a new laptop."""
        password = "correct horse battery"
        done = self.admin().kurama("users", "add", email, "--password-stdin", stdin=password + "\n")
        assert done.status == 0, done.all
        return self.log_in(email, password)

    def laptop(self, email: str) -> User:
        """Somebody at a new laptop, not logged in yet."""
        folder = self.folder / f"laptop-{len(list(self.folder.glob('laptop-*')))}"
        folder.mkdir()
        return User(self, folder, email)

    def log_in(self, email: str, password: str) -> User:
        """Somebody who has logged in from a new laptop."""
        user = self.laptop(email)
        arguments = ("login", self.url, "--email", email, "--password-stdin")
        done = user.kurama(*arguments, stdin=password + "\n")
        assert done.status == 0, done.all
        logins = json.loads((user.folder / ".config" / "kurama" / "credentials.json").read_text())
        user.token = logins["logins"][0]["token"]
        return user

    def visit(
        self,
        app: str,
        path: str = "/",
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> tuple[int, str, Mapping[str, str]]:
        """One request through the router: status, body, headers."""
        port = self.settings["router"]["port"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        try:
            host = {"Host": f"{app}.localhost:{port}"}
            connection.request(method, path, body, {**host, **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read().decode(), dict(response.getheaders())
        finally:
            connection.close()

    def api(self, user: User, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request to the API: the status and the JSON."""
        port = self.settings["interface"]["port"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {user.token}", "Content-Type": "application/json"}
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1{path}", content, headers)
            response = connection.getresponse()
            answer = response.read()
            return response.status, json.loads(answer) if answer else None
        finally:
            connection.close()


@contextmanager
def running(folder: Path, settings: Mapping[str, Any] | None = None) -> Iterator[Platform]:
    """A platform that is up, and down again afterwards."""
    platform = Platform(folder, settings)
    try:
        platform.up()
        yield platform
    finally:
        platform.operate("down")
        shutil.rmtree(platform.home, ignore_errors=True)


def free_ports(count: int) -> Sequence[int]:
    """Ports that nobody listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


HELLO = """
from flask import Flask, request

app = Flask(__name__)

@app.get("/")
def hello():
    return "hello {version}"
"""


def hello(version: str = "1") -> dict[str, str]:
    """The smallest app there is."""
    return {"app.py": HELLO.format(version=version), "requirements.txt": "flask\n"}
