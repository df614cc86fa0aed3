"""Supervisord as the keeper of replicas: its configuration, its start, its XML-RPC interface."""

import configparser
import contextlib
import http.client
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from agent.faults import Fault, FaultCode
from agent.sandbox.layout import Layout

_BOOT_S = 10.0
_LOG_FILES = 4
_CALL_TIMEOUT_S = 15.0
_POLL_S = 0.05
# Supervisord's fault for a program that it has already; source: supervisor.xmlrpc.Faults.
_ALREADY_ADDED = 90


@dataclass(frozen=True, slots=True)
class Program:
    """What supervisord says of one program. `state` is its own word: RUNNING, BACKOFF, FATAL …

    `exit_status` is None unless the state is EXITED: in others supervisord doesn't remember it.
    """

    name: str
    state: str
    pid: int
    started_at: float
    stopped_at: float
    exit_status: int | None
    detail: str


class Supervisor:
    """The supervisord of one sandbox; started when it is first needed, and again if it died."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def ensure(self) -> None:
        """Have it running; Fault if it doesn't come up. The caller holds the layout's lock."""
        if self._answers():
            return
        self._configure()
        self._layout.socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c"]
        command += [str(self._layout.supervisord_conf)]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        deadline = time.monotonic() + _BOOT_S
        while not self._answers():
            if done.returncode or time.monotonic() > deadline:
                raise Fault(
                    FaultCode.START_FAILED,
                    f"Supervisord did not start: {(done.stderr or done.stdout).strip()}",
                    f"Its log is {self._layout.home / 'supervisord.log'}.",
                )
            time.sleep(0.02)

    def add(self, name: str, command: Sequence[str], *, grace_s: float, log_bytes: int) -> None:
        """Start a program and keep it running from now on, also after a reboot."""
        self._write_program(name, command, grace_s, log_bytes)
        self.ensure()
        rpc = self._rpc()
        rpc.supervisor.reloadConfig()
        try:
            rpc.supervisor.addProcessGroup(name)
        except xmlrpc.client.Fault as fault:
            # After a restart of supervisord it runs already, from the file just written.
            if fault.faultCode != _ALREADY_ADDED:
                raise Fault(FaultCode.START_FAILED, f"{name}: {fault.faultString}") from fault

    def forget(self, name: str) -> None:
        """Don't keep a program any more; it still runs until `stop`."""
        self._layout.program(name).unlink(missing_ok=True)

    def stop(self, names: Sequence[str], patience: float) -> None:
        """Stop forgotten programs side by side, each with its own grace; wait for their end."""
        if not names or not self._answers():
            return
        rpc = self._rpc()
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):
                rpc.supervisor.stopProcess(name, False)
        left = set(names)
        deadline = time.monotonic() + patience
        while left and time.monotonic() < deadline:
            running = {p.name for p in self.programs() if p.state in _ALIVE}
            for name in left - running:
                with contextlib.suppress(xmlrpc.client.Fault):
                    rpc.supervisor.removeProcessGroup(name)
            left &= running
            if left:
                time.sleep(_POLL_S)

    def revive(self, names: Sequence[str]) -> None:
        """Try programs once more that were given up."""
        for name in names:
            with contextlib.suppress(OSError, xmlrpc.client.Error):
                self._rpc().supervisor.startProcess(name, False)

    def programs(self) -> list[Program]:
        """Everything that supervisord keeps; nothing when it isn't running."""
        try:
            found = self._rpc().supervisor.getAllProcessInfo()
        except (OSError, xmlrpc.client.Error):
            return []
        return [_program(info) for info in found]

    def shutdown(self, patience: float) -> None:
        """Stop every program and supervisord itself; what it keeps, it keeps for its next start."""
        try:
            pid = self._rpc().supervisor.getPID()
            self._rpc().supervisor.shutdown()
        except (OSError, xmlrpc.client.Error):
            return
        # It stops answering at once, but is there until its last program has ended.
        deadline = time.monotonic() + patience
        while psutil.pid_exists(pid) and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _answers(self) -> bool:
        try:
            return bool(self._rpc().supervisor.getState())
        except (OSError, xmlrpc.client.Error):
            return False

    def _rpc(self) -> Any:
        return xmlrpc.client.ServerProxy("http://localhost", _UnixTransport(self._layout.socket))

    def _configure(self) -> None:
        home = self._layout.home
        sections: dict[str, dict[str, object]] = {
            "unix_http_server": {"file": self._layout.socket, "chmod": "0600"},
            "supervisord": {
                "logfile": home / "supervisord.log",
                "logfile_maxbytes": "1MB",
                "logfile_backups": "1",
                "pidfile": home / "supervisord.pid",
                "childlogdir": home / "logs",
                "directory": home,
                "umask": "077",
                # A replica has several descriptors here; the default of 1024 would bound them.
                "minfds": "1024",
                "nocleanup": "true",
            },
            "rpcinterface:supervisor": {
                "supervisor.rpcinterface_factory": (
                    "supervisor.rpcinterface:make_main_rpcinterface"
                )
            },
            "include": {"files": home / "conf.d" / "*.conf"},
        }
        _write(self._layout.supervisord_conf, sections)

    def _write_program(
        self, name: str, command: Sequence[str], grace_s: float, log_bytes: int
    ) -> None:
        program: dict[str, object] = {
            "command": shlex.join(command),
            "autostart": "true",
            "autorestart": "true",
            "startsecs": "1",
            # Pauses of 1, 2, 3, 4 seconds between tries, then it counts as crashed.
            "startretries": "4",
            "stopasgroup": "true",
            "killasgroup": "true",
            "stopsignal": "TERM",
            "stopwaitsecs": max(1, round(grace_s)),
            "redirect_stderr": "true",
            "stdout_logfile": self._layout.log(name),
            "stdout_logfile_maxbytes": log_bytes // _LOG_FILES,
            "stdout_logfile_backups": _LOG_FILES - 1,
        }
        _write(self._layout.program(name), {f"program:{name}": program})


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        return _UnixConnection(self._path)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_CALL_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


_ALIVE = {"STARTING", "RUNNING", "BACKOFF", "STOPPING"}


def _write(path: Path, sections: Mapping[str, Mapping[str, object]]) -> None:
    """Write an ini file as supervisord reads it: it expands % in values."""
    parser = configparser.RawConfigParser()
    for section, values in sections.items():
        parser[section] = {key: str(value).replace("%", "%%") for key, value in values.items()}
    fresh = path.with_name(f".{path.name}")
    with fresh.open("w") as file:
        parser.write(file)
    fresh.chmod(0o600)
    fresh.replace(path)


def _program(info: Mapping[str, Any]) -> Program:
    return Program(
        name=info["name"],
        state=info["statename"],
        pid=info["pid"],
        started_at=float(info["start"]),
        stopped_at=float(info["stop"]),
        exit_status=info["exitstatus"] if info["statename"] == "EXITED" else None,
        detail=info["spawnerr"] or info["description"],
    )
