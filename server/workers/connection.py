"""One open channel with many calls on it: sends requests, hands replies to whoever waits."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from agent import wire
from server import errors
from server.workers.channel import Channel

_CLASSES: Mapping[str, type[errors.KuramaError]] = {
    "preflight_failed": errors.PreflightFailed,
    "build_failed": errors.BuildFailed,
    "disk_full": errors.BuildFailed,
    "command_failed": errors.ReleaseCommandFailed,
    "wire_mismatch": errors.WireMismatch,
    "no_such_image": errors.NotFound,
}
OnEvent = Callable[[str, Any], None]


class Connection:
    """Calls side by side over one channel, from any thread. Dead once the channel is."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self._name = name
        self._writing = threading.Lock()
        self._lock = threading.Lock()
        self._next = 1
        self._waiting: dict[int, queue.SimpleQueue[wire.Message | None]] = {}
        self.alive = True
        threading.Thread(target=self._read, name=f"wire to {name}", daemon=True).start()

    def call(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        timeout: float,
        on_event: OnEvent | None = None,
        cancelled: threading.Event | None = None,
    ) -> Any:
        """Ask for `method` and return its result.

        `timeout` bounds the whole call, in seconds; when it passes the call is cancelled and
        CallTimeout raised. Raises Unreachable when the channel ends, TooLarge when the request is
        over the wire's bound, and what `_CLASSES` says for the agent's own faults.
        """
        number, inbox = self._register()
        try:
            self._send(wire.Request(number, method, params))
            return self._await(number, inbox, method, timeout, on_event, cancelled)
        finally:
            with self._lock:
                self._waiting.pop(number, None)

    def close(self) -> None:
        """Close the channel; calls that wait get Unreachable."""
        self._end()
        self._channel.close()

    def _await(
        self,
        number: int,
        inbox: "queue.SimpleQueue[wire.Message | None]",
        method: str,
        timeout: float,
        on_event: OnEvent | None,
        cancelled: threading.Event | None,
    ) -> Any:
        deadline = time.monotonic() + timeout
        while True:
            try:
                message = inbox.get(timeout=_patience(deadline, cancelled))
            except queue.Empty:
                if cancelled is not None and cancelled.is_set():
                    self._cancel(number)
                    cancelled = None
                elif time.monotonic() >= deadline:
                    self._cancel(number)
                    raise errors.CallTimeout(
                        f"The agent on {self._name} did not end `{method}` within {timeout:.0f} s",
                        "`kurama doctor` looks at the worker.",
                    ) from None
                continue
            if isinstance(message, wire.Event):
                if on_event:
                    on_event(message.event, message.data)
            elif isinstance(message, wire.Result):
                return message.result
            elif isinstance(message, wire.Failure):
                raise _error(message.error)
            else:
                raise self._unreachable()

    def _register(self) -> tuple[int, "queue.SimpleQueue[wire.Message | None]"]:
        inbox: queue.SimpleQueue[wire.Message | None] = queue.SimpleQueue()
        with self._lock:
            if not self.alive:
                raise self._unreachable()
            number, self._next = self._next, self._next + 1
            self._waiting[number] = inbox
        return number, inbox

    def _send(self, message: wire.Message) -> None:
        try:
            line = wire.encode(message)
        except wire.WireError as error:
            raise errors.TooLarge(str(error), "A config with less in it, say, would fit.") from None
        try:
            with self._writing:
                self._channel.requests.write(line)
                self._channel.requests.flush()
        except (OSError, ValueError):
            self._end()
            raise self._unreachable() from None

    def _cancel(self, number: int) -> None:
        with contextlib.suppress(errors.Unreachable):
            self._send(wire.Request(number, "cancel"))

    def _read(self) -> None:
        try:
            while (message := wire.read(self._channel.replies)) is not None:
                with self._lock:
                    inbox = self._waiting.get(message.id)
                if inbox is not None:
                    inbox.put(message)
        except (OSError, ValueError, wire.WireError):
            pass
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self.alive = False
            waiting = list(self._waiting.values())
        for inbox in waiting:
            inbox.put(None)

    def _unreachable(self) -> errors.Unreachable:
        return errors.Unreachable(
            f"The agent on {self._name} can't be reached", self._channel.diagnosis
        )


def _patience(deadline: float, cancelled: threading.Event | None) -> float:
    left = max(0.0, deadline - time.monotonic())
    return min(left, 0.2) if cancelled is not None else left


def _error(fault: Mapping[str, str]) -> errors.KuramaError:
    message, hint, code = fault["message"], fault.get("hint", ""), fault["code"]
    if code in _CLASSES:
        return _CLASSES[code](message, hint)
    return errors.AgentFault(message, hint, fault=code)
