"""An agent for tests of the control plane's end of the wire: bytes in, bytes out, no process."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, cast

from agent import wire

Params = Mapping[str, Any]
Answer = Callable[[Params], Any]
SILENCE = object()
"""Returned by an answer: nothing is said, and the call goes on waiting."""
HANG_UP = object()
"""Returned by an answer: the agent is gone."""


def fault(code: str, message: str = "it broke", hint: str = "mend it") -> wire.Failure:
    """What an answer returns to refuse."""
    return wire.Failure(0, {"code": code, "message": message, "hint": hint})


class AgentDouble:
    """A channel to an agent that answers each method with what `answers` says."""

    diagnosis = "Look into its log."

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = {"hello": lambda _: {"runtime": "double"}, **answers}
        near, self._far = socket.socketpair()
        self._near = near
        self.requests = cast("BinaryIO", near.makefile("wb"))
        self.replies = cast("BinaryIO", near.makefile("rb"))
        self.asked: list[wire.Request] = []
        self.is_closed = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End both ways and wait for the other end."""
        if not self.is_closed:
            self.is_closed = True
            self._near.shutdown(socket.SHUT_RDWR)
            self._near.close()
            self._thread.join(5)

    def methods(self) -> list[str]:
        """What was asked for, in order."""
        return [request.method for request in self.asked]

    def say(self, data: bytes) -> None:
        """Write to the control plane, whatever it is."""
        self._far.sendall(data)

    def _serve(self) -> None:
        with self._far, self._far.makefile("rb") as requests:
            for line in requests:
                request = wire.decode(line)
                assert isinstance(request, wire.Request)
                self.asked.append(request)
                if request.method == "cancel":
                    continue
                for message in self._replies_to(request):
                    if message is None:
                        return
                    self.say(wire.encode(message))

    def _replies_to(self, request: wire.Request) -> Iterator[wire.Message | None]:
        answer = self._answers[request.method](request.params)
        for one in answer if isinstance(answer, list) and _has_events(answer) else [answer]:
            if one is HANG_UP:
                yield None
            elif isinstance(one, wire.Event):
                yield wire.Event(request.id, one.event, one.data)
            elif isinstance(one, wire.Failure):
                yield wire.Failure(request.id, one.error)
            elif one is not SILENCE:
                yield wire.Result(request.id, one)


def _has_events(answer: list[Any]) -> bool:
    """Whether a list is what happens one after the other, rather than the result itself."""
    return any(isinstance(one, wire.Event) for one in answer)
