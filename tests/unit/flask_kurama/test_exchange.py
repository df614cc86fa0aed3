"""One record for each request, whatever becomes of its response."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from flask_kurama.exchange import Environ, recorded
from flask_kurama.inbound import NULL, Inbound

Start = Callable[..., Any]


class Emitted:
    """Stands for the way out: keeps what is emitted."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.fault: Exception | None = None
        self.begun = False

    def begin(self) -> None:
        self.begun = True

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
    ) -> None:
        if self.fault is not None:
            raise self.fault
        self.records.append(
            {
                "level": level,
                "message": message,
                "status": status,
                "route": route,
                "duration_ms": duration_ms,
                "patient": patient,
                "request_id": inbound and inbound.request_id,
            }
        )


class Scene:
    """A recorded application, a server that calls it, and a clock in milliseconds."""

    def __init__(self, body: Callable[[Environ, Start], Iterable[bytes]]) -> None:
        self.emitted, self.now_ms = Emitted(), 1000.0
        self.environ: Environ = {
            "REQUEST_METHOD": "GET",
            "RAW_URI": "/items/3?q=1",
            "HTTP_HOST": "shop.example",
            "wsgi.url_scheme": "http",
        }
        self.started: list[Any] = []
        self.app = recorded(body, self.emitted, lambda _: "/items/<id>", self._clock_ns)

    def _clock_ns(self) -> int:
        return int(self.now_ms * 1e6)

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Callable[..., str]:
        self.started.append((status, headers, exc_info))
        return lambda data: f"wrote {data}"

    def call(self) -> Any:
        return self.app(self.environ, self.start_response)

    def serve(self) -> bytes:
        """As a server does: all of the body, then close."""
        body = self.call()
        try:
            return b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()

    @property
    def record(self) -> dict[str, Any]:
        """The only record."""
        (record,) = self.emitted.records
        return record


def answering(status: str) -> Callable[[Environ, Start], list[bytes]]:
    """An application with this status."""

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        start_response(status, [])
        return [b"hello"]

    return app


@pytest.mark.parametrize(
    ("status", "level"),
    [
        ("101 Switching Protocols", "INFO"),
        ("200 OK", "INFO"),
        ("304 Not Modified", "INFO"),
        ("404 Not Found", "WARNING"),
        ("499 Gone", "WARNING"),
        ("500 Oh", "ERROR"),
        ("503 Busy", "ERROR"),
        ("999 Odd", "ERROR"),
    ],
)
def test_a_request_is_a_record_with_the_level_of_its_status(status: str, level: str) -> None:
    """Message, status, route, duration; errors do not wait for others."""
    scene = Scene(answering(status))
    assert scene.serve() == b"hello"
    assert scene.record == {
        "level": level,
        "message": f"GET /items/3 {status[:3]} in 0.0 ms",
        "status": status[:3],
        "route": '"/items/<id>"',
        "duration_ms": "0.000",
        "patient": level != "ERROR",
        "request_id": scene.record["request_id"],
    }


def test_a_probe_is_answered_and_leaves_no_record() -> None:
    """The platform's own requests aren't a visitor's."""
    scene = Scene(answering("200 OK"))
    scene.environ["HTTP_X_KURAMA_PROBE"] = "1"
    assert scene.serve() == b"hello"
    assert scene.emitted.begun
    assert not scene.emitted.records


def test_the_duration_lasts_until_the_body_has_ended() -> None:
    """A streaming response takes as long as its last piece."""

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        scene.now_ms += 2
        yield b"a"
        scene.now_ms += 10.3456
        yield b"b"

    scene = Scene(app)
    body = iter(scene.call())
    scene.now_ms += 1
    assert next(body) == b"a"
    assert scene.emitted.records == []
    assert next(body) == b"b"
    scene.now_ms += 100
    assert list(body) == []
    assert scene.record["message"] == "GET /items/3 200 in 113.3 ms"
    assert scene.record["duration_ms"] == "113.346"


class Closing:
    """A body that tells when it is closed."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.closed = scene, 0

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"a", b"b"])

    def close(self) -> None:
        self.closed += 1
        self.scene.now_ms += 5


def test_a_client_that_has_gone_before_the_end_is_recorded_at_close() -> None:
    """And the application's own close is called."""
    bodies: list[Closing] = []

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        bodies.append(Closing(scene))
        return bodies[0]

    scene = Scene(app)
    body = scene.call()
    next(iter(body))
    scene.now_ms += 7
    body.close()
    assert bodies[0].closed == 1
    assert scene.record["message"] == "GET /items/3 200 in 12.0 ms (closed before its end)"


def test_a_request_is_recorded_once() -> None:
    """Exhausted and closed, and closed again."""
    scene = Scene(answering("200 OK"))
    body = scene.call()
    list(body)
    body.close()
    body.close()
    assert scene.record


def test_start_response_is_passed_on_as_it_is() -> None:
    """Its arguments, its result, and the last of several calls."""
    written: list[str] = []

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        start_response("200 OK", [("a", "b")])
        written.append(start_response("500 Oh", [], ("type", "value", None))(b"x"))
        return []

    scene = Scene(app)
    scene.serve()
    assert scene.started == [
        ("200 OK", [("a", "b")], None),
        ("500 Oh", [], ("type", "value", None)),
    ]
    assert written == ["wrote b'x'"]
    assert scene.record["status"] == "500"


@pytest.mark.parametrize("fault", [ValueError("bad"), SystemExit(1), KeyboardInterrupt()])
def test_what_escapes_is_a_traceback_and_a_500(fault: BaseException) -> None:
    """Two records, and the exception goes on as it was."""

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        raise fault

    scene = Scene(app)
    with pytest.raises(type(fault)) as caught:
        scene.call()
    assert caught.value is fault
    exception, request = scene.emitted.records
    assert (exception["level"], exception["status"], exception["duration_ms"]) == (
        "ERROR", "500", NULL,
    )  # fmt: skip
    assert exception["message"].startswith("Exception on /items/3 [GET]\nTraceback (most recent")
    assert repr(fault).partition("(")[0] in exception["message"]
    assert "exchange.py" not in exception["message"].replace("test_exchange.py", "")
    assert request["message"] == "GET /items/3 500 in 0.0 ms"
    assert request["level"] == "ERROR"
    assert not request["patient"]


@pytest.mark.parametrize(("pieces", "status"), [(0, "500"), (1, "200")])
def test_a_body_that_breaks_off(pieces: int, status: str) -> None:
    """Before its first piece the server can still say 500; afterwards the client has a 200."""

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        for _ in range(pieces):
            yield b"a"
        raise ValueError("bad")

    scene = Scene(app)
    with pytest.raises(ValueError, match="bad"):
        scene.serve()
    exception, request = scene.emitted.records
    assert "ValueError: bad" in exception["message"]
    assert (exception["status"], request["status"]) == (status, status)
    assert request["level"] == "ERROR"
    assert request["message"].endswith("ms (broke off)")


def test_an_exception_that_is_raised_again_and_again_is_told_each_time() -> None:
    """One object, made once, raised by each request."""
    fault = ValueError("the same")

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        raise fault

    scene = Scene(app)
    for _ in range(2):
        with pytest.raises(ValueError, match="the same"):
            scene.call()
    assert len(scene.emitted.records) == 4


def test_a_servers_file_wrapper_goes_through_untouched() -> None:
    """So that the server can send the file by itself; the record comes at its close."""

    class Wrapper:
        def __init__(self, file: io.BytesIO) -> None:
            self.close = file.close

        def __iter__(self) -> Iterator[bytes]:
            return iter([])

    file = io.BytesIO(b"x")

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Wrapper(file)

    scene = Scene(app)
    scene.environ["wsgi.file_wrapper"] = Wrapper
    body = scene.call()
    assert type(body) is Wrapper
    scene.now_ms += 3
    body.close()
    assert file.closed
    assert scene.record["message"] == "GET /items/3 200 in 3.0 ms"


def test_a_file_wrapper_that_cannot_be_changed_is_wrapped() -> None:
    """It costs the short cut, and the record is there."""

    class Wrapper:
        __slots__ = ()

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Wrapper()

    scene = Scene(app)
    scene.environ["wsgi.file_wrapper"] = Wrapper
    assert scene.serve() == b"x"
    assert scene.record["message"] == "GET /items/3 200 in 0.0 ms"


def test_an_application_that_calls_another_has_its_own_record() -> None:
    """With the same environment: two records, one id, and the outer's request in place again."""
    seen: list[object] = []

    def outer(environ: Environ, start_response: Start) -> list[bytes]:
        mine = environ["kurama.request"]
        pieces = list(inner(environ, start_response))
        seen.append(environ["kurama.request"] is mine)
        return pieces

    scene = Scene(outer)
    inner = recorded(answering("200 OK"), scene.emitted, lambda _: "/inner", lambda: 0)
    scene.serve()
    first, second = scene.emitted.records
    assert (first["route"], second["route"]) == ('"/inner"', '"/items/<id>"')
    assert first["request_id"] == second["request_id"]
    assert seen == [True]


def test_a_response_that_never_began_is_an_error() -> None:
    """There is no status to show."""
    scene = Scene(lambda environ, start_response: [])
    scene.serve()
    assert (scene.record["level"], scene.record["status"]) == ("ERROR", NULL)


def test_our_own_fault_costs_a_line_on_stderr_and_no_response(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whether it is in the beginning or at the end."""
    scene = Scene(answering("200 OK"))
    scene.emitted.fault = ZeroDivisionError()
    assert scene.serve() == b"hello"
    del scene.environ["wsgi.url_scheme"]
    assert scene.serve() == b"hello"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "ZeroDivisionError" in lines[0]
    assert "KeyError" in lines[1]
