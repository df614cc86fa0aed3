"""The web application: the routes, and the one place where errors become answers."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from server import __version__
from server.api import accounts, apps, deploys, git, hooks, logs, processes, schemas
from server.api.bodies import BoundedBodies
from server.errors import KuramaError

log = logging.getLogger(__name__)
_STATUS_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def application(lifespan: Lifespan | None, pages: Sequence[APIRouter] = ()) -> FastAPI:
    """The application; `lifespan` puts a `Context` into `app.state.context`.

    `pages` are routes for people, beside those for programs.
    """
    app = FastAPI(
        title="Kurama",
        version=__version__,
        description="Deploys Flask apps by git push and carries their logs.",
        openapi_url="/api/openapi.json",
        # The interactive pages load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses={"default": {"model": schemas.Failure, "description": "what went wrong"}},
    )
    app.add_middleware(BoundedBodies)
    v1 = APIRouter(prefix="/api/v1")
    for part in (accounts, apps, processes, deploys, logs):
        v1.include_router(part.router)
    app.include_router(v1)
    app.include_router(git.router)
    app.include_router(hooks.router)
    for page in pages:
        app.include_router(page)
    app.add_api_route("/health", _health, methods=["GET"], include_in_schema=False)
    app.add_api_route("/api/v1/info", _info, methods=["GET"], tags=["platform"])
    _handle_errors(app)
    return app


def _health() -> dict[str, str]:
    return {"status": "ok"}


def _info() -> schemas.Info:
    """What this server is."""
    return schemas.Info(version=__version__)


def _handle_errors(app: FastAPI) -> None:
    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, KuramaError)  # noqa: S101 - registered for it alone
        return _answer(request, error.http_status, error.code, error.message, error.hint)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - the same
        problems = "; ".join(_place(dict(item)) for item in error.errors())
        return _answer(request, 422, "invalid_request", problems, "See /api/openapi.json.")

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - the same
        code = _STATUS_CODES.get(error.status_code, "rejected")
        message = f"{request.method} {request.url.path}: {error.detail}"
        return _answer(request, error.status_code, code, message, "See /api/openapi.json.")

    async def unknown(request: Request, error: Exception) -> Response:
        log.exception("%s %s", request.method, request.url.path, exc_info=error)
        hint = "The interface's log has the details (home/logs/interface.log)."
        return _answer(request, 500, "internal", "An error inside Kurama", hint)

    app.add_exception_handler(KuramaError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, unknown)


def _answer(request: Request, status: int, code: str, message: str, hint: str) -> Response:
    headers = {"WWW-Authenticate": _challenge(request)} if status == 401 else {}
    if request.url.path.startswith(("/git/", "/internal/")):
        # git shows a plain text to its user, line by line.
        text = f"{message}\n{hint}\n" if hint else f"{message}\n"
        return PlainTextResponse(text, status, headers)
    body = schemas.Failure(error=schemas.Problem(code=code, message=message, hint=hint))
    return JSONResponse(body.model_dump(), status, headers)


def _challenge(request: Request) -> str:
    return 'Basic realm="Kurama"' if request.url.path.startswith("/git/") else "Bearer"


def _place(problem: dict[str, Any]) -> str:
    path = ".".join(str(part) for part in problem["loc"] if part != "body")
    return f"{path}: {problem['msg']}" if path else str(problem["msg"])
