"""The agent's end of the wire: requests in, events and one end each out, in threads."""

import errno
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from agent import wire
from agent.faults import Fault, FaultCode

Emit = Callable[[str, Any], None]
"""Sends an event of the running request: its name and its data."""

Method = Callable[[Mapping[str, Any], Emit, threading.Event], Any]
"""Does one request: its params, a way to send events, and what says that it was cancelled."""

# More at once than any control plane asks for; the one over it is refused, not queued.
_MOST_REQUESTS = 64
# A build that was cancelled ends its processes within this.
_END_PATIENCE_S = 15.0


class Server:
    """Serves one channel until its end."""

    def __init__(
        self, requests: BinaryIO, replies: BinaryIO, methods: Callable[[str], Method | None]
    ) -> None:
        self._requests = requests
        self._replies = replies
        self._methods = methods
        self._writing = threading.Lock()
        self._running: dict[int, threading.Event] = {}
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)

    def serve(self) -> None:
        """Answer requests until the other end closes; then cancel what still runs and wait."""
        try:
            while (message := wire.read(self._requests)) is not None:
                if isinstance(message, wire.Request):
                    self._take(message)
        finally:
            self._cancel_all()

    def _cancel_all(self) -> None:
        deadline = time.monotonic() + _END_PATIENCE_S
        with self._idle:
            for cancelled in self._running.values():
                cancelled.set()
            self._idle.wait_for(lambda: not self._running, deadline - time.monotonic())

    def _take(self, request: wire.Request) -> None:
        with self._lock:
            if request.method == "cancel":
                if request.id in self._running:
                    self._running[request.id].set()
                return
            if request.id in self._running or len(self._running) >= _MOST_REQUESTS:
                problem = "is already running" if request.id in self._running else "is one too many"
                fault = Fault(FaultCode.BAD_REQUEST, f"Request {request.id} {problem}")
                self._send(_failure(request.id, fault))
                return
            cancelled = self._running[request.id] = threading.Event()
        threading.Thread(
            target=self._answer, args=(request, cancelled), name=request.method, daemon=True
        ).start()

    def _answer(self, request: wire.Request, cancelled: threading.Event) -> None:
        def emit(event: str, data: Any) -> None:
            self._send(wire.Event(request.id, event, data))

        end: wire.Message
        try:
            end = wire.Result(request.id, self._method(request)(request.params, emit, cancelled))
        except Fault as fault:
            end = _failure(request.id, fault)
        except OSError as error:
            end = _failure(request.id, _os_fault(error))
        except Exception as error:  # noqa: BLE001 - the wire is an edge: the caller must hear of it
            traceback.print_exc()
            problem = f"{type(error).__name__} in {request.method}: {error}"
            end = _failure(request.id, Fault(FaultCode.INTERNAL, problem))
        try:
            self._send(end)
        except wire.WireError as error:
            # The caller must hear of that, too, or it would wait for an end that never comes.
            self._send(
                _failure(request.id, Fault(FaultCode.INTERNAL, f"{request.method}: {error}"))
            )
        with self._idle:
            self._running.pop(request.id, None)
            self._idle.notify_all()

    def _method(self, request: wire.Request) -> Method:
        method = self._methods(request.method)
        if method is None:
            raise Fault(FaultCode.BAD_REQUEST, f"No method is called {request.method!r}")
        return method

    def _send(self, message: wire.Message) -> None:
        line = wire.encode(message)
        try:
            with self._writing:
                self._replies.write(line)
                self._replies.flush()
        except (BrokenPipeError, ValueError):
            # The other end is gone; `serve` notices by itself.
            return


def _failure(number: int, fault: Fault) -> wire.Failure:
    return wire.Failure(
        number, {"code": str(fault.code), "message": fault.message, "hint": fault.hint}
    )


def _os_fault(error: OSError) -> Fault:
    if error.errno == errno.ENOSPC:
        return Fault(
            FaultCode.DISK_FULL,
            f"The worker's disk is full ({error.filename or 'while writing'})",
            "Free some space, then push again; `kurama doctor` shows how much there is.",
        )
    return Fault(FaultCode.INTERNAL, f"{error}")
