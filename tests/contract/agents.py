"""Agents for tests of the wire: real ones, as processes on pipes."""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from agent.serve import Method, Server
from server.workers.channel import LocalChannel
from server.workers.client import Limits, Worker

LIMITS = Limits(256_000_000, 1.0)
OPTIONS: Mapping[str, Any] = {"min_free_disk": 1_000_000, "run_timeout": 20.0}


@dataclass
class Site:
    """A worker's home with one app that is built, and clients for it."""

    home: Path
    image: str = ""
    clients: list[Worker] = field(default_factory=list)

    def channel(self) -> LocalChannel:
        """A new agent."""
        return LocalChannel(self.home, self.home / "supervisor.sock", self.log)

    def client(self, **options: Any) -> Worker:
        """A client, which starts an agent with these options when it is first asked something."""
        worker = Worker("local", self.channel, {**OPTIONS, **options})
        self.clients.append(worker)
        return worker

    def build(self) -> None:
        """Build the smallest app there is."""
        context = self.home.parent / "context"
        context.mkdir()
        (context / "app.py").write_text("")
        (context / "requirements.txt").write_text("")
        (context / "Procfile").write_text("web: sleep 300\n")
        self.image = self.client().build("tiny", context, {}, print).reference

    @property
    def log(self) -> Path:
        """What agents say besides."""
        return self.home.parent / "agent.log"

    @property
    def agents(self) -> list[psutil.Process]:
        """The agents of this home that run, as children of ours."""
        found = []
        for process in psutil.Process().children():
            try:
                if str(self.home) in process.cmdline() and process.status() != "zombie":
                    found.append(process)
            except psutil.Error:
                continue
        return found


class Pipes:
    """A channel to a server that is in this process, whose methods a test gives."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        theirs, ours = os.pipe()
        ours_in, theirs_out = os.pipe()
        self.requests: BinaryIO = os.fdopen(ours, "wb")
        self.replies: BinaryIO = os.fdopen(ours_in, "rb")
        self.diagnosis = "It is a test."
        requests, replies = os.fdopen(theirs, "rb"), os.fdopen(theirs_out, "wb")
        self._ends = (requests, replies)
        server = Server(requests, replies, methods.get)
        self._thread = threading.Thread(target=self._serve, args=(server,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close both ways, and wait for the server's end."""
        self.requests.close()
        self._thread.join(10)
        self.replies.close()
        assert not self._thread.is_alive()

    def _serve(self, server: Server) -> None:
        try:
            server.serve()
        finally:
            for end in self._ends:
                end.close()
