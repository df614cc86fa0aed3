"""The extension on real Flask applications, called in process."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import flask
import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import create_environ

from flask_kurama import Kurama
from flask_kurama.console import Console
from flask_kurama.emitter import Emitter
from flask_kurama.extension import _surroundings


class Sink:
    """Keeps what is put."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def put(self, line: bytes) -> None:
        self.lines.append(line)


class Samples:
    """No load."""

    load = '"cpu_percent":null'

    def start(self) -> None:
        """Nothing to start."""

    def forget(self) -> None:
        """Nothing to forget."""


class Scene:
    """Applications whose records are kept."""

    def __init__(self) -> None:
        self.sink, self.now = Sink(), 0.0
        self.emitter = Emitter(self.sink, Samples(), clock=self._clock)
        self.kurama = Kurama(emitter=self.emitter)
        Console(self.emitter, _surroundings, (flask.logging.wsgi_errors_stream,)).install()

    def _clock(self) -> float:
        self.now += 1
        return self.now

    def app(self, name: str = "shop") -> Flask:
        # Without what pytest adds for each test.
        logging.getLogger(name).handlers.clear()
        app = Flask(name)
        app.add_url_rule("/items/<int:id>", "item", _item)
        app.add_url_rule("/boom", "boom", _boom)
        self.kurama.init_app(app)
        return app

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.sink.lines]


def get(app: Flask, path: str, **options: Any) -> Any:
    """The response to a request, read to its end, as a server would."""
    return app.test_client().get(path, buffered=True, **options)


def _item(**values: int) -> str:
    return f"item {values['id']}"


def _boom() -> str:
    raise ValueError("bad")


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Logging is put back afterwards."""
    monkeypatch.setattr(logging.StreamHandler, "emit", logging.StreamHandler.emit)
    monkeypatch.setattr(flask.logging.default_handler, "level", logging.NOTSET)
    for name in ("shop", "other"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
        monkeypatch.setattr(logging.getLogger(name), "propagate", False)
    level = logging.getLogger().level
    yield Scene()
    logging.getLogger().setLevel(level)


def test_a_request_has_a_record_with_its_route(scene: Scene) -> None:
    """The template, not the path."""
    get(scene.app(), "/items/3?q=1")
    (record,) = scene.records
    assert record["message"].startswith("GET /items/3 200 in ")
    assert (record["route"], record["status"]) == ("/items/<int:id>", 200)
    assert record["url"] == "http://localhost/items/3?q=1"


@pytest.mark.parametrize(("path", "status"), [("/nope", 404), ("/items/x", 404)])
def test_a_request_that_no_rule_matches_has_no_route(scene: Scene, path: str, status: int) -> None:
    """And is a warning."""
    get(scene.app(), path)
    (record,) = scene.records
    assert (record["route"], record["status"], record["level"]) == (None, status, "WARNING")


def test_an_unhandled_exception_is_one_traceback_and_the_request(scene: Scene) -> None:
    """Flask logs it itself; both records have the status 500."""
    assert get(scene.app(), "/boom").status_code == 500
    exception, request = scene.records
    assert exception["message"].startswith("Exception on /boom [GET]\nTraceback")
    assert exception["message"].endswith("ValueError: bad")
    assert (exception["status"], exception["route"]) == (500, "/boom")
    assert (request["status"], request["route"], request["level"]) == (500, "/boom", "ERROR")


@pytest.mark.parametrize("logger_is", ["disabled", "a file's", "propagating the exception"])
def test_an_exception_that_flask_does_not_log_to_the_console_is_told_all_the_same(
    scene: Scene, logger_is: str, tmp_path: Any
) -> None:
    """By the exchange, with its route."""
    app = scene.app()
    if logger_is == "disabled":
        app.logger.disabled = True
    elif logger_is == "a file's":
        app.logger.handlers = [logging.FileHandler(tmp_path / "log")]
    else:
        app.config["PROPAGATE_EXCEPTIONS"] = True
    try:
        get(app, "/boom")
    except ValueError:
        assert app.config["PROPAGATE_EXCEPTIONS"]
    finally:
        app.logger.disabled = False
    exception, request = scene.records
    assert "ValueError: bad" in exception["message"]
    assert (exception["status"], exception["route"]) == (500, "/boom")
    assert request["route"] == "/boom"


def test_a_handled_exception_is_no_exception(scene: Scene) -> None:
    """An error handler of the application has answered."""
    app = scene.app()
    app.register_error_handler(ValueError, lambda fault: ("sorry", 418))
    get(app, "/boom")
    (record,) = scene.records
    assert (record["status"], record["level"]) == (418, "WARNING")


def test_logging_within_a_request_says_which(scene: Scene) -> None:
    """By app.logger; outside, the same logger says nothing of a request."""
    app = scene.app()

    def say() -> str:
        app.logger.warning("hello")
        return ""

    app.add_url_rule("/say", "say", say)
    get(app, "/say", headers={"X-Request-Id": "rid"})
    app.logger.warning("outside")
    hello, request, outside = scene.records
    assert (hello["url"], hello["route"]) == ("http://localhost/say", "/say")
    assert hello["request_id"] == request["request_id"] == "rid"
    keys = ("url", "method", "route", "request_id")
    assert [outside[key] for key in keys] == [None] * 4


def test_logging_within_a_made_up_context(scene: Scene) -> None:
    """test_request_context, as in shells: the same id throughout."""
    app = scene.app()
    with app.test_request_context("/items/3"):
        app.logger.warning("one")
        app.logger.warning("two")
    one, two = scene.records
    assert one["url"] == "http://localhost/items/3"
    assert one["route"] == "/items/<int:id>"
    assert one["request_id"] == two["request_id"]


def test_an_application_is_instrumented_once(scene: Scene) -> None:
    """By whomever, however often."""
    app = scene.app()
    scene.kurama.init_app(app)
    Kurama(app, emitter=scene.emitter)
    get(app, "/items/3")
    assert len(scene.records) == 1
    assert app.extensions["kurama"] is scene.kurama


def test_middleware_and_subclasses_stay_in_place(scene: Scene) -> None:
    """What was around wsgi_app before is inside, what comes later is around."""
    order: list[str] = []

    def around(name: str, inner: Any) -> Any:
        def wsgi(environ: Any, start_response: Any) -> Any:
            order.append(name)
            return inner(environ, start_response)

        return wsgi

    class Shop(Flask):
        def wsgi_app(self, environ: Any, start_response: Any) -> Any:
            order.append("subclass")
            return super().wsgi_app(environ, start_response)

    app = Shop("shop")
    app.wsgi_app = around("before", app.wsgi_app)  # type: ignore[method-assign]
    scene.kurama.init_app(app)
    app.wsgi_app = around("after", app.wsgi_app)  # type: ignore[method-assign]
    get(app, "/")
    assert order == ["after", "before", "subclass"]
    assert len(scene.records) == 1


def test_two_applications_behind_one_dispatcher_record_their_own(scene: Scene) -> None:
    """One request, one record."""
    shop, other = scene.app(), scene.app("other")
    shop.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
        shop.wsgi_app, {"/other": other.wsgi_app}
    )
    get(shop, "/items/1")
    get(shop, "/other/items/2")
    assert [record["message"].split()[1] for record in scene.records] == [
        "/items/1",
        "/other/items/2",
    ]
    assert [record["route"] for record in scene.records] == ["/items/<int:id>"] * 2


def test_an_application_that_asks_another_in_its_own_request(scene: Scene) -> None:
    """By a client of its own, or with the same environment: each has its route."""
    shop, other = scene.app(), scene.app("other")

    def client() -> str:
        return str(get(other, "/items/1").text)

    def passed_on() -> bytes:
        environ = flask.request.environ
        environ["PATH_INFO"] = "/items/2"
        body: Any = other.wsgi_app(environ, lambda *_: lambda _: None)
        return b"".join(body)

    shop.add_url_rule("/client", "client", client)
    shop.add_url_rule("/passed-on", "passed_on", passed_on)
    get(shop, "/client")
    get(shop, "/passed-on")
    assert [(record["route"], record["status"]) for record in scene.records] == [
        ("/items/<int:id>", 200),
        ("/client", 200),
        ("/items/<int:id>", 200),
        ("/passed-on", 200),
    ]


def test_the_route_is_not_that_of_an_application_around(scene: Scene) -> None:
    """Where something answers before the inner application has dispatched."""

    def answers(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"early"]

    shop, inner = scene.app(), Flask("other")
    inner.wsgi_app = answers  # type: ignore[method-assign]
    scene.kurama.init_app(inner)

    def around() -> bytes:
        body: Any = inner.wsgi_app(create_environ("/x"), lambda *_: lambda _: None)
        return b"".join(body)

    shop.add_url_rule("/around", "around", around)
    get(shop, "/around")
    assert [record["route"] for record in scene.records] == [None, "/around"]


def test_an_exception_that_is_made_once_is_told_each_time(scene: Scene) -> None:
    """And raised by each request."""
    app, fault = scene.app(), ValueError("the same")

    def again() -> str:
        raise fault

    app.add_url_rule("/again", "again", again)
    get(app, "/again")
    get(app, "/again")
    told = [record for record in scene.records if "Traceback" in record["message"]]
    assert len(told) == 2


@pytest.mark.parametrize("choice", ["off", "OFF", "0", "false", "no"])
def test_it_can_be_turned_off(scene: Scene, monkeypatch: pytest.MonkeyPatch, choice: str) -> None:
    """All of it, for those who use it by hand too."""
    monkeypatch.setenv("KURAMA_INSTRUMENT", choice)
    app = scene.app()
    assert "kurama" not in app.extensions
    get(app, "/items/3")
    assert scene.records == []


def test_an_incompatible_application_is_left_as_it_was(scene: Scene) -> None:
    """Nothing is changed before all that is needed has been found."""

    class Odd:
        name = "odd"
        wsgi_app = "unchanged"

        def __init__(self) -> None:
            self.extensions: dict[str, object] = {}

    odd: Any = Odd()
    with pytest.raises(AttributeError):
        scene.kurama.init_app(odd)
    assert odd.wsgi_app == "unchanged"
    assert odd.extensions == {}


@pytest.mark.parametrize("verb", ["GET", "HEAD"])
def test_files_are_recorded(scene: Scene, tmp_path: Any, verb: str) -> None:
    """direct_passthrough, with and without a body."""
    (tmp_path / "file").write_text("x" * 100_000)
    app = scene.app()
    app.add_url_rule("/file", "file", lambda: flask.send_file(tmp_path / "file"))
    with app.test_client() as client:
        response = client.open("/file", method=verb)
        assert len(response.data) == (100_000 if verb == "GET" else 0)
        response.close()
    (record,) = scene.records
    assert record["message"].startswith(f"{verb} /file 200 in ")
    assert not record["message"].endswith("end)")
