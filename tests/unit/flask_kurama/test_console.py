"""Logging: what goes to the console becomes records, and only that."""

import io
import json
import logging
import logging.config
import logging.handlers
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_kurama.console import NOWHERE, Console, Surroundings, wanted_level
from flask_kurama.emitter import Emitter
from flask_kurama.inbound import Inbound
from flask_kurama.parts import Joiner


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


class Stdout(io.StringIO):
    """A stream that is the process's stdout or stderr, as far as anyone can tell."""

    def __init__(self, fd: int = 1) -> None:
        super().__init__()
        self.fd = fd

    def fileno(self) -> int:
        return self.fd


class Scene:
    """Logging with a console of ours installed."""

    def __init__(self) -> None:
        self.sink, self.surroundings = Sink(), NOWHERE
        self.foreign = io.StringIO()
        emitter = Emitter(self.sink, Samples())
        self.console = Console(emitter, lambda: self.surroundings, (self.foreign,))
        self.console.install()
        self._alone = False

    @property
    def root(self) -> logging.Logger:
        """The root logger, without the handlers that pytest gives it for each test."""
        if not self._alone:
            self._alone = True
            logging.getLogger().handlers.clear()
        return logging.getLogger()

    @property
    def records(self) -> list[dict[str, Any]]:
        """What has been written, put together again where it was long."""
        joiner = Joiner(lambda: 0.0)
        return [json.loads(line) for part in self.sink.lines if (line := joiner.join(part))]

    @property
    def messages(self) -> list[str]:
        """And its messages."""
        return [record["message"] for record in self.records]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A fresh logging tree, put back afterwards."""
    monkeypatch.setattr(logging.StreamHandler, "emit", logging.StreamHandler.emit)
    root, last = logging.getLogger(), logging.lastResort
    assert last
    handlers, levels = root.handlers[:], (root.level, last.level)
    root.setLevel(logging.WARNING)
    last.setLevel(logging.WARNING)
    monkeypatch.setattr(logging.Logger.manager, "loggerDict", {})
    yield Scene()
    root.handlers = handlers
    root.setLevel(levels[0])
    last.setLevel(levels[1])


@pytest.mark.parametrize("fd", [1, 2])
def test_a_console_handlers_text_becomes_a_record(scene: Scene, fd: int) -> None:
    """Stdout or stderr, whatever its format; the text itself is not written."""
    stream = Stdout(fd)
    assert scene.root.handlers == []
    logging.basicConfig(stream=stream, format="odd %(message)s", level=logging.INFO)
    logging.getLogger("x").info("hello %s", "world")
    assert scene.messages == ["hello world"]
    assert scene.records[0]["level"] == "INFO"
    assert stream.getvalue() == ""


def test_an_object_that_stands_for_the_console_counts_as_it(scene: Scene) -> None:
    """As Flask's stream does, which is a file only during a request."""
    scene.root.addHandler(logging.StreamHandler(scene.foreign))
    scene.root.warning("hello")
    assert scene.messages == ["hello"]


def test_other_handlers_are_as_they_were(scene: Scene, tmp_path: Path) -> None:
    """Files, strings, queues, memory: their text and their formats."""
    text = io.StringIO()
    memory = logging.handlers.BufferingHandler(10)
    for handler in (
        logging.StreamHandler(text),
        logging.FileHandler(tmp_path / "log"),
        memory,
    ):
        handler.setFormatter(logging.Formatter("%(levelname)s:%(message)s"))
        scene.root.addHandler(handler)
    scene.root.warning("hello")
    assert text.getvalue() == "WARNING:hello\n"
    assert (tmp_path / "log").read_text() == "WARNING:hello\n"
    assert len(memory.buffer) == 1
    assert scene.records == []


def test_several_console_handlers_make_one_record(scene: Scene) -> None:
    """One line for one call, also when something is logged in between."""

    class Chatty(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "root":
                logging.getLogger("aside").warning("aside")

    for handler in (
        logging.StreamHandler(Stdout(1)),
        Chatty(),
        logging.StreamHandler(Stdout(2)),
    ):
        scene.root.addHandler(handler)
    scene.root.warning("hello")
    scene.root.warning("hello")
    assert scene.messages == ["hello", "aside", "hello", "aside"]


def test_no_mark_is_left_on_the_log_record(scene: Scene) -> None:
    """A handler that writes all attributes as JSON would write the mark."""
    kept: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    plain = set(vars(logging.makeLogRecord({})))
    scene.root.addHandler(logging.StreamHandler(Stdout()))
    scene.root.addHandler(Keep())
    scene.root.warning("hello")
    assert set(vars(kept[0])) <= plain | {"taskName"}


def test_levels_and_filters_are_honoured(scene: Scene) -> None:
    """Of the handler and of the logger."""
    handler = logging.StreamHandler(Stdout())
    handler.setLevel(logging.ERROR)
    scene.root.addHandler(handler)
    logging.getLogger("quiet").setLevel(logging.CRITICAL)
    handler.addFilter(lambda record: record.name != "filtered")
    scene.root.warning("below the handler's")
    logging.getLogger("quiet").error("below the logger's")
    logging.getLogger("filtered").error("filtered")
    scene.root.error("seen")
    assert scene.messages == ["seen"]


def test_a_handlers_filter_may_mark_the_record_it_lets_through(scene: Scene) -> None:
    """A handler that refuses does not use up the record for the next."""
    strict, lax = logging.StreamHandler(Stdout()), logging.StreamHandler(Stdout())
    strict.setLevel(logging.ERROR)
    scene.root.addHandler(strict)
    scene.root.addHandler(lax)
    scene.root.warning("hello")
    assert scene.messages == ["hello"]


def test_it_survives_dict_config_and_cleared_handlers(scene: Scene) -> None:
    """There is no handler of ours that could be removed."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": True,
            "handlers": {"console": {"class": "logging.StreamHandler", "stream": Stdout()}},
            "root": {"handlers": ["console"], "level": "DEBUG"},
        }
    )
    logging.getLogger("a").debug("one")
    scene.root.handlers.clear()
    scene.root.addHandler(logging.StreamHandler(Stdout()))
    logging.getLogger("b").debug("two")
    assert scene.messages == ["one", "two"]


@pytest.mark.parametrize(
    ("number", "level"),
    [(5, "DEBUG"), (10, "DEBUG"), (25, "INFO"), (39, "WARNING"), (40, "ERROR"), (99, "CRITICAL")],
)
def test_levels_have_the_five_names(scene: Scene, number: int, level: str) -> None:
    """Others count as the one that they reach."""
    scene.root.addHandler(logging.StreamHandler(Stdout()))
    scene.root.setLevel(1)
    scene.root.log(number, "hello")
    assert scene.records[0]["level"] == level


def test_tracebacks_and_stacks_are_in_the_message(scene: Scene) -> None:
    """As logging's own formatter has them; with the exceptions before."""
    scene.root.addHandler(logging.StreamHandler(Stdout()))
    try:
        try:
            int("x")
        except ValueError as first:
            raise KeyError("second") from first
    except KeyError as fault:
        expected = logging.Formatter().formatException(sys.exc_info())
        scene.root.exception("it failed", stack_info=True)
        kept = fault
    message = scene.messages[0]
    assert message.startswith(f"it failed\n{expected}\nStack (most recent call last):\n")
    assert "ValueError" in message
    scene.root.error("later", exc_info=kept)
    assert "KeyError" in scene.messages[1]


def test_a_traceback_that_came_through_a_queue_is_in_the_message(scene: Scene) -> None:
    """A QueueHandler leaves its text, and no exception."""
    record = logging.makeLogRecord({"msg": "failed", "levelno": 40, "exc_text": "Trace: text"})
    logging.StreamHandler(Stdout()).handle(record)
    assert scene.messages == ["failed\nTrace: text"]


def test_an_exception_that_is_none_adds_nothing(scene: Scene) -> None:
    """log.exception() outside of an except block."""
    scene.root.addHandler(logging.StreamHandler(Stdout()))
    scene.root.error("hello", exc_info=True)
    assert scene.messages == ["hello"]


class Awkward:
    """An argument that fails at everything."""

    def __str__(self) -> str:
        raise RuntimeError("no str")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    ("message", "args", "parts"),
    [
        ("%d items", ("x",), ["%d items", "'x'", "TypeError"]),
        ("one %s two %s", ("x",), ["one %s two %s", "TypeError"]),
        ("%s", (Awkward(),), ["%s", "without a repr", "no str"]),
        (Awkward(), (), ["<Awkward without a repr>", "no str"]),
    ],
)
def test_arguments_that_do_not_fit_are_shown_and_raise_nothing(
    scene: Scene, message: object, args: tuple[object, ...], parts: list[str]
) -> None:
    """The line is there, with what can be said of it."""
    scene.root.addHandler(logging.StreamHandler(Stdout()))
    scene.root.warning(message, *args)
    (shown,) = scene.messages
    assert all(part in shown for part in parts), shown


def test_within_a_request_the_record_says_which(scene: Scene) -> None:
    """Its URL, method, route and id; the status is not known yet."""
    environ = {
        "REQUEST_METHOD": "POST",
        "RAW_URI": "/cart",
        "HTTP_HOST": "shop.example",
        "wsgi.url_scheme": "http",
        "HTTP_X_REQUEST_ID": "rid",
    }
    request = Inbound(environ)
    scene.surroundings = Surroundings(request, '"/cart"')
    scene.root.addHandler(logging.StreamHandler(Stdout()))
    scene.root.warning("hello")
    fault = ValueError("bad")
    request.fault = fault
    scene.root.error("unhandled", exc_info=fault)
    scene.root.error("handled", exc_info=KeyError())
    hello, unhandled, handled = scene.records
    shown = [hello[key] for key in ("url", "method", "route", "request_id", "status")]
    assert shown == ["http://shop.example/cart", "POST", "/cart", "rid", None]
    assert (unhandled["status"], handled["status"]) == (500, None)


def test_a_traceback_that_a_record_has_told_is_not_repeated(scene: Scene) -> None:
    """Servers log once more what a request has let out."""
    fault = ValueError("bad")
    request = Inbound(
        {"REQUEST_METHOD": "", "RAW_URI": "/", "HTTP_HOST": "h", "wsgi.url_scheme": ""}
    )
    request.fault = fault
    scene.root.addHandler(logging.StreamHandler(Stdout()))
    scene.surroundings = Surroundings(request, "null")
    scene.root.error("first", exc_info=fault)
    scene.surroundings = NOWHERE
    scene.root.error("second", exc_info=fault)
    assert scene.messages == ["first\nValueError: bad", "second"]


def test_the_time_is_that_of_the_call(scene: Scene) -> None:
    """Not of a queue's listener that hands it on later."""
    record = logging.makeLogRecord({"msg": "late", "levelno": 20, "created": 1_795_439_520.5})
    handler = logging.StreamHandler(Stdout())
    handler.handle(record)
    assert scene.records[0]["timestamp"] == "2026-11-23T13:12:00.500000Z"


def test_our_own_fault_is_the_handlers(
    scene: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """logging's rule: nothing is raised into the application."""

    def broken() -> Surroundings:
        raise ZeroDivisionError

    monkeypatch.setattr(scene.console, "_surroundings", broken)
    scene.root.addHandler(logging.StreamHandler(Stdout()))
    scene.root.warning("hello")
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "root", "own", "last"),
    [
        (None, logging.INFO, logging.NOTSET, logging.INFO),
        ("", logging.INFO, logging.NOTSET, logging.INFO),
        ("nonsense", logging.INFO, logging.NOTSET, logging.INFO),
        ("error", logging.ERROR, logging.NOTSET, logging.ERROR),
        ("DEBUG", logging.INFO, logging.DEBUG, logging.DEBUG),
    ],
)
def test_where_nothing_is_configured_info_is_seen(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    wanted: str | None,
    root: int,
    own: int,
    last: int,
) -> None:
    """Or what KURAMA_LOG_LEVEL says; libraries never below INFO."""
    if wanted is not None:
        monkeypatch.setenv("KURAMA_LOG_LEVEL", wanted)
    assert scene.root.handlers == []
    wanted_level("shop")
    assert (scene.root.level, logging.getLogger("shop").level) == (root, own)
    assert logging.lastResort
    assert logging.lastResort.level == last


def test_what_the_application_has_configured_stays(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A level or a handler of its own."""
    monkeypatch.setenv("KURAMA_LOG_LEVEL", "DEBUG")
    scene.root.setLevel(logging.ERROR)
    logging.getLogger("shop").setLevel(logging.WARNING)
    assert scene.root.handlers == []
    wanted_level("shop")
    assert (scene.root.level, logging.getLogger("shop").level) == (logging.ERROR, logging.WARNING)
    scene.root.setLevel(logging.WARNING)
    scene.root.addHandler(logging.NullHandler())
    wanted_level("shop")
    assert scene.root.level == logging.WARNING


def test_without_any_handler_the_last_resort_is_the_console(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """logging's own way out for an application that has configured nothing."""
    monkeypatch.setattr(sys, "stderr", Stdout(2))
    assert scene.root.handlers == []
    wanted_level("shop")
    logging.getLogger("x").info("hello")
    logging.getLogger("x").debug("not this")
    assert scene.messages == ["hello"]
