"""The Flask extension: `Kurama(app)`, and what of Flask the other modules need to be told.

Only this module knows Flask.
"""

from __future__ import annotations

import atexit
import os
from functools import lru_cache, partial
from types import ModuleType
from typing import Any

import flask
from flask.logging import wsgi_errors_stream
from werkzeug.serving import WSGIRequestHandler

from flask_kurama import is_off
from flask_kurama.cgroup import Cgroup
from flask_kurama.console import (
    NOWHERE,
    Console,
    Surroundings,
    lines_at_once,
    wanted_level,
)
from flask_kurama.emitter import Emitter
from flask_kurama.exchange import PROBE, Environ, recorded
from flask_kurama.faults import begin
from flask_kurama.inbound import KEY, Inbound
from flask_kurama.outlet import Outlet
from flask_kurama.record import text
from flask_kurama.sampler import Host, Sampler

_NAME = "kurama"


class Kurama:
    """Instruments Flask applications: a record for each request and for each line that is logged.

    Under `flask_kurama.auto` there is no need to use it; to use it does no harm then. The records
    go to stdout, by way of `emitter` where one is given.
    """

    def __init__(self, app: flask.Flask | None = None, *, emitter: Emitter | None = None) -> None:
        self._emitter = emitter
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Instrument `app`, once. Does nothing when KURAMA_INSTRUMENT is `off`."""
        if is_off() or _NAME in app.extensions:
            return
        # Both first: an application that lacks one is left as it was.
        wsgi_app, handle_exception = app.wsgi_app, app.handle_exception
        emitter = self._emitter or _process()
        wanted_level(app.name)
        app.extensions[_NAME] = self
        # On the instance, so that a subclass's own methods and middleware that was put around
        # before stay within.
        app.wsgi_app = recorded(wsgi_app, emitter, partial(_route_of, app))  # type: ignore[method-assign, assignment]
        app.handle_exception = partial(_handle_exception, handle_exception)  # type: ignore[method-assign]


@lru_cache(maxsize=1)
def _process() -> Emitter:
    """What there is one of in a process, as there is one stdout and one `logging`."""
    emitter = Emitter(Outlet(), Sampler(Cgroup(), Host(_psutil())))
    os.register_at_fork(after_in_child=emitter.forget)
    atexit.register(emitter.flush)
    lines_at_once()
    Console(emitter, _surroundings, (wsgi_errors_stream,)).install()
    _silence_access_lines()
    return emitter


def _psutil() -> ModuleType | None:
    try:
        import psutil
    except ImportError:
        return None
    return psutil


def _route_of(app: flask.Flask, environ: Environ) -> str | None:
    """The template of the rule that `app` found for the request it is answering.

    Werkzeug keeps the request in the environment. There is none, or another application's, when
    one application has called another with its own environment: then Flask's context is asked.
    """
    request = environ.get("werkzeug.request")
    if request is None and flask.has_request_context():
        request = flask.request
    rule = getattr(request, "url_rule", None)
    return rule.rule if rule is not None and rule.map is app.url_map else None


def _surroundings() -> Surroundings:
    if not flask.has_request_context():
        return NOWHERE
    environ = flask.request.environ
    inbound = environ.get(KEY)
    if inbound is None:
        # A context that no request has opened: app.test_request_context().
        inbound = environ[KEY] = Inbound(environ)
    rule = flask.request.url_rule
    return Surroundings(inbound, text(None if rule is None else rule.rule))


def _handle_exception(handle_exception: Any, fault: Exception) -> Any:
    """Flask.handle_exception, which is called for what no error handler has taken."""
    inbound, route = _surroundings()
    if inbound is not None:
        begin(fault)
        inbound.fault, inbound.route = fault, route
    return handle_exception(fault)


def _silence_access_lines() -> None:
    """Werkzeug's server logs a line for each request: not for those that have a record, or none."""
    log_request = WSGIRequestHandler.log_request

    def log_unrecorded(self: WSGIRequestHandler, code: Any = "-", size: Any = "-") -> None:
        environ = getattr(self, "environ", ())
        if KEY not in environ and PROBE not in environ:
            log_request(self, code, size)

    WSGIRequestHandler.log_request = log_unrecorded  # type: ignore[method-assign]
