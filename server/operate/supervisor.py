"""Supervisord as the keeper of the platform's parts."""

import configparser
import contextlib
import http.client
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from server.errors import EngineError
from server.operate.programs import Kind, Program
from server.settings import Settings
from server.unix_http import UnixConnection

_CALL_TIMEOUT_S = 30.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class PartState:
    """What supervisord says of one part; `started_at` in seconds since the epoch."""

    name: str
    state: str
    pid: int
    started_at: float
    detail: str


class Supervisor:
    """The supervisord of one home."""

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._socket = settings.run_dir / "supervisor.sock"

    @property
    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._rpc().supervisor.getState())
        except (OSError, xmlrpc.client.Error):
            return False

    def log(self, name: str) -> Path:
        """Where a part's output goes."""
        return self._home / "logs" / f"{name}.log"

    def start(self, parts: Sequence[Program], environment: Mapping[str, str]) -> None:
        """Start supervisord with the engines; the services wait for `start_parts`."""
        self._configure(parts)
        self._socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._configuration)]
        done = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_CALL_TIMEOUT_S,
            check=False,
        )
        deadline = time.monotonic() + _CALL_TIMEOUT_S
        while not self.is_up:
            if done.returncode or time.monotonic() > deadline:
                raise EngineError(
                    f"The supervisor did not start:\n{(done.stderr or done.stdout).strip()}",
                    f"Its log is {self._home / 'logs' / 'supervisord.log'}.",
                )
            time.sleep(_POLL_S)

    def start_parts(self, names: Iterable[str]) -> None:
        """Start parts that don't run yet."""
        rpc = self._rpc()
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):
                rpc.supervisor.startProcess(name, False)

    def stop_parts(self, names: Sequence[str], patience_s: float) -> None:
        """Stop parts side by side and wait for their end."""
        rpc = self._rpc()
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):
                rpc.supervisor.stopProcess(name, False)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            alive = {part.name for part in self.states() if part.state not in _ENDED}
            if not alive & set(names):
                return
            time.sleep(_POLL_S)

    def states(self) -> list[PartState]:
        """Every part; none when supervisord isn't up."""
        try:
            found = self._rpc().supervisor.getAllProcessInfo()
        except (OSError, xmlrpc.client.Error):
            return []
        return [_state(info) for info in found]

    def shutdown(self, patience_s: float) -> bool:
        """End supervisord with whatever still runs; return whether it is gone."""
        try:
            pid = self._rpc().supervisor.getPID()
            self._rpc().supervisor.shutdown()
        except (OSError, xmlrpc.client.Error):
            return not self.is_up
        # It stops answering at once, but is there until its last program has ended.
        deadline = time.monotonic() + patience_s
        while psutil.pid_exists(pid) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return not psutil.pid_exists(pid)

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines that a part printed."""
        try:
            return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    @property
    def _configuration(self) -> Path:
        return self._home / "supervisord.conf"

    def _rpc(self) -> Any:
        return xmlrpc.client.ServerProxy("http://localhost", _UnixTransport(self._socket))

    def _configure(self, parts: Sequence[Program]) -> None:
        logs = self._home / "logs"
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        sections: dict[str, dict[str, object]] = {
            "unix_http_server": {"file": self._socket, "chmod": "0600"},
            "supervisord": {
                "logfile": logs / "supervisord.log",
                "logfile_maxbytes": "1MB",
                "logfile_backups": 1,
                "pidfile": self._home / "run" / "supervisord.pid",
                "directory": self._home,
                "umask": "077",
                "minfds": 1024,
                "nocleanup": "true",
            },
            "rpcinterface:supervisor": {
                "supervisor.rpcinterface_factory": (
                    "supervisor.rpcinterface:make_main_rpcinterface"
                )
            },
        }
        for part in parts:
            sections[f"program:{part.name}"] = self._program(part)
        parser = configparser.RawConfigParser()
        for section, values in sections.items():
            # Supervisord expands % in values.
            parser[section] = {key: str(value).replace("%", "%%") for key, value in values.items()}
        self._configuration.touch(mode=0o600)
        with self._configuration.open("w") as file:
            parser.write(file)

    def _program(self, part: Program) -> dict[str, object]:
        settings: dict[str, object] = {
            "command": shlex.join(part.argv),
            "autostart": str(part.kind is Kind.ENGINE).lower(),
            "autorestart": "true",
            "startsecs": 1,
            # A part that can't start is tried for as long as the platform is up: pauses of 1, 2,
            # 3 … seconds add up to more than a day.
            "startretries": 500,
            "stopsignal": part.stop_signal,
            "stopwaitsecs": part.stop_patience_s,
            "stopasgroup": str(part.kind is Kind.ENGINE).lower(),
            "killasgroup": str(part.kind is Kind.ENGINE).lower(),
            "redirect_stderr": "true",
            "stdout_logfile": self.log(part.name),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": 2,
        }
        if part.environment:
            pairs = (f'{name}="{_quoted(value)}"' for name, value in part.environment.items())
            settings["environment"] = ",".join(pairs)
        return settings


_ENDED = {"stopped", "exited", "fatal"}


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _state(info: Mapping[str, Any]) -> PartState:
    return PartState(
        name=info["name"],
        state=info["statename"].lower(),
        pid=info["pid"],
        started_at=float(info["start"]),
        detail=info["spawnerr"] or info["description"],
    )


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        return UnixConnection(self._path, _CALL_TIMEOUT_S)
