"""One record for each request that an application answers, written when its response has ended.

The application is wrapped at `wsgi_app`, inside the middleware that a user puts around it, so that
of several applications behind one dispatcher each has the record of its own requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from flask_kurama.faults import admit, begin, is_told, tell, trace
from flask_kurama.inbound import KEY, NULL, Inbound
from flask_kurama.record import text

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
RouteOf = Callable[[Environ], "str | None"]

# A platform asks a new replica until it answers, and is no visitor.
PROBE = "HTTP_X_KURAMA_PROBE"
_NS_PER_MS = 1e6
_FAILED = "500"
_LEVELS = {"1": "INFO", "2": "INFO", "3": "INFO", "4": "WARNING"}


class Emits(Protocol):
    """What emitter.Emitter does."""

    def begin(self) -> None: ...

    def emit(
        self,
        level: str,
        message: str,
        inbound: Inbound | None = None,
        status: str = NULL,
        route: str = NULL,
        duration_ms: str = NULL,
        *,
        patient: bool = False,
    ) -> None: ...


def recorded(
    wsgi: Wsgi,
    emitter: Emits,
    route_of: RouteOf,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> Wsgi:
    """`wsgi` with a record for each request, but for those with the header X-Kurama-Probe.

    `route_of` gives the rule's template of the request that is being answered.
    """

    def wsgi_app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if PROBE in environ:
            # Visitors will come: their records shall say what the CPU does from the first one on.
            emitter.begin()
            return wsgi(environ, start_response)
        try:
            exchange = Exchange(environ, start_response, emitter, route_of, clock_ns)
        except Exception as fault:  # noqa: BLE001  a request must be answered, recorded or not
            admit(fault)
            return wsgi(environ, start_response)
        try:
            return exchange.carry(wsgi(environ, exchange.respond))
        except BaseException as fault:
            exchange.escaped(fault)
            raise

    return wsgi_app


class Exchange:
    """A request and its response, which it is also the WSGI iterable of."""

    __slots__ = (
        "_around", "_began", "_body", "_clock_ns", "_done", "_emitter", "_environ", "_inbound",
        "_next", "_note", "_route_of", "_start_response", "_started", "_status",
    )  # fmt: skip

    def __init__(
        self,
        environ: Environ,
        start_response: Callable[..., Any],
        emitter: Emits,
        route_of: RouteOf,
        clock_ns: Callable[[], int],
    ) -> None:
        self._began = clock_ns()
        self._clock_ns = clock_ns
        self._around = environ.get(KEY)
        self._inbound = environ[KEY] = Inbound(environ)
        self._environ = environ
        self._start_response = start_response
        self._emitter = emitter
        self._route_of = route_of
        self._status = ""
        self._note = " (closed before its end)"
        self._started = self._done = False

    def respond(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        """WSGI's start_response; of several calls the last one counts."""
        self._status = status[:3]
        # Only now: when wsgi_app returns, Flask has forgotten the request.
        self._inbound.route = text(self._route_of(self._environ))
        if exc_info is None:
            return self._start_response(status, headers)
        return self._start_response(status, headers, exc_info)

    def carry(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The iterable to give to the server in place of `body`.

        A server sends its own file wrapper by a short cut (sendfile), which a wrapper around it
        would hide: there only its close() is replaced.
        """
        self._body = body
        if type(body) is self._environ.get("wsgi.file_wrapper"):
            close = getattr(body, "close", None)
            try:
                body.close = lambda: self._closed(close)  # type: ignore[attr-defined]
                self._note = ""
            except AttributeError:
                pass
            else:
                return body
        self._next = iter(body).__next__
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = self._next()
        except StopIteration:
            self._note = ""
            self._finish()
            raise
        except BaseException as fault:
            self._broke_off(fault)
            raise
        self._started = True
        return chunk

    def close(self) -> None:
        """WSGI's close, which a server calls at the end, also when the client has gone."""
        self._closed(getattr(self._body, "close", None))

    def escaped(self, fault: BaseException) -> None:
        """The application raised in place of answering; the server will say 500."""
        self._status = _FAILED
        self._note = ""
        self._fail(fault)

    def _broke_off(self, fault: BaseException) -> None:
        """The body raised. Before its first piece the server can still say 500."""
        if not self._started:
            self._status = _FAILED
        self._note = " (broke off)"
        self._fail(fault)

    def _fail(self, fault: BaseException) -> None:
        if self._inbound.fault is not fault:
            begin(fault)
            self._inbound.fault = fault
        self._finish()

    def _closed(self, close: Callable[[], object] | None) -> None:
        try:
            if close is not None:
                close()
        finally:
            self._finish()

    def _finish(self) -> None:
        """Write the request's record, once."""
        if self._done:
            return
        self._done = True
        try:
            self._record()
        except Exception as fault:  # noqa: BLE001  the response is good, recorded or not
            admit(fault)
        if self._around is not None:
            self._environ[KEY] = self._around

    def _record(self) -> None:
        took = (self._clock_ns() - self._began) / _NS_PER_MS
        inbound, status = self._inbound, self._status
        code = status if status.isdigit() else NULL
        level = _level(status)
        if inbound.fault is not None:
            level = "ERROR"
            self._tell(inbound.fault, code)
            inbound.fault = None
        message = f"{inbound.verb} {inbound.path} {status} in {took:.1f} ms{self._note}"
        duration, patient = f"{took:.3f}", level != "ERROR"
        self._emitter.emit(level, message, inbound, code, inbound.route, duration, patient=patient)

    def _tell(self, fault: BaseException, code: str) -> None:
        """A record with the traceback, unless the application has logged it."""
        if is_told(fault):
            return
        tell(fault)
        inbound, start = self._inbound, fault.__traceback__
        if start is not None and start.tb_frame.f_code.co_filename == __file__:
            # Our own frame, through which it came.
            start = start.tb_next
        message = f"Exception on {inbound.path} [{inbound.verb}]\n{trace(fault, start)}"
        self._emitter.emit("ERROR", message, inbound, code, inbound.route)


def _level(status: str) -> str:
    """By the code's first digit; a response that never began is an error too."""
    return _LEVELS.get(status[:1], "ERROR")
