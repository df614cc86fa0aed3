"""The git server: smart HTTP over `git receive-pack` and `git upload-pack`.

Source: git's gitprotocol-http documentation. A push's stream is held together here: what the hooks
say goes out live, and the report waits for the end of the deploy (see server/repos/report.py).
"""

import asyncio
import logging
import os
import shutil
import sys
import zlib
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from server.api.auth import CallerDep, find_app
from server.api.context import Context, Ctx
from server.api.pushes import Push
from server.errors import NoRoom, NotFound, RequestRejected, TooLarge
from server.models import App
from server.repos import pktline, report
from server.settings import Settings

router = APIRouter(tags=["git"], include_in_schema=False)
log = logging.getLogger(__name__)

_HOOKS = Path(__file__).parent.parent.parent / "hooks"
_CHUNK = 64 * 1024
_NO_CACHE = {"Cache-Control": "no-cache, max-age=0, must-revalidate"}
# A fetch's request lists commits; more than this is no fetch.
_MOST_FETCH = 10_000_000

Service = Literal["git-upload-pack", "git-receive-pack"]


async def _app(context: Ctx, caller: CallerDep, repository: str) -> App:
    name = repository.removesuffix(".git")
    return await run_in_threadpool(find_app, context, caller, name)


AppDep = Annotated[App, Depends(_app)]


@router.get("/git/{repository}/info/refs")
async def advertise(
    request: Request,
    context: Ctx,
    app: AppDep,
    service: Annotated[str | None, Query()] = None,
) -> Response:
    """Say which references there are; before a push, also whether there is room for it."""
    if service not in ("git-upload-pack", "git-receive-pack"):
        raise NotFound("This repository is only served to git", f"git clone {request.url.path}")
    if service == "git-receive-pack":
        _check_room(context.parts.settings)
    process = await _git(context, app, request, service, "--advertise-refs")
    answer, _ = await process.communicate()
    begin = pktline.packet(f"# service={service}\n".encode()) + pktline.FLUSH
    kind = f"application/x-{service}-advertisement"
    return Response(begin + answer, media_type=kind, headers=_NO_CACHE)


@router.post("/git/{repository}/git-upload-pack")
async def upload_pack(request: Request, context: Ctx, app: AppDep) -> Response:
    """Serve a clone or a fetch."""
    wants = await _small_body(request)
    process = await _git(context, app, request, "git-upload-pack")

    async def pack() -> AsyncIterator[bytes]:
        assert process.stdin is not None  # noqa: S101 - it was asked for
        assert process.stdout is not None  # noqa: S101 - the same
        try:
            process.stdin.write(wants)
            process.stdin.close()
            while chunk := await process.stdout.read(_CHUNK):
                yield chunk
        finally:
            if process.returncode is None:
                process.kill()

    return StreamingResponse(
        pack(), media_type="application/x-git-upload-pack-result", headers=_NO_CACHE
    )


@router.post("/git/{repository}/git-receive-pack")
async def receive_pack(request: Request, context: Ctx, app: AppDep, caller: CallerDep) -> Response:
    """Take a push; the hooks deploy it, and the stream ends when the deploy has."""
    push = context.pushes.open(app, caller.account)
    process = await _git(context, app, request, "git-receive-pack", push=push)
    exchange = _Exchange(context, push, process)
    refused = await exchange.take(request)
    if refused is not None:
        return Response(refused, media_type=_RESULT, headers=_NO_CACHE)
    return StreamingResponse(exchange.answer(), media_type=_RESULT, headers=_NO_CACHE)


_RESULT = "application/x-git-receive-pack-result"


class _Exchange:
    """One run of receive-pack: it goes on to its end, whether or not the client stays to see it."""

    def __init__(self, context: Context, push: Push, process: Process) -> None:
        self._context = context
        self._push = push
        self._process = process
        self._holder = report.ReportHolder()
        self._said: asyncio.Queue[bytes | None] = asyncio.Queue()
        timeout = context.parts.settings.git.timeout.total_seconds()
        self._pump = asyncio.create_task(self._pump_all(timeout))
        _RUNNING.add(self._pump)
        self._pump.add_done_callback(_RUNNING.discard)

    async def take(self, request: Request) -> bytes | None:
        """Give the request's body to receive-pack; return an answer at once if it is too large."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        bound = int(self._context.parts.settings.git.max_push)
        taken, first = 0, b""
        unzip = _decompressor(request)
        try:
            async for chunk in request.stream():
                data = unzip(chunk)
                first = first or data
                taken += len(data)
                if taken <= bound and not self._process.stdin.is_closing():
                    await self._give(data)
        finally:
            # Also when the client is gone: receive-pack then sees a pack that was cut, and stops.
            if taken > bound:
                self._process.kill()
            self._process.stdin.close()
        return _too_large(first, bound) if taken > bound else None

    async def answer(self) -> AsyncIterator[bytes]:
        """What the client gets, as it comes."""
        while (chunk := await self._said.get()) is not None:
            if chunk:
                yield chunk

    async def _give(self, data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - as above
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            # It has refused already and says why on its output.
            self._process.stdin.close()

    async def _pump_all(self, timeout: float) -> None:
        """Read receive-pack to its end, then let go of the report."""
        assert self._process.stdout is not None  # noqa: S101 - as above
        try:
            async with asyncio.timeout(timeout):
                while chunk := await self._process.stdout.read(_CHUNK):
                    self._said.put_nowait(self._holder.feed(chunk))
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            self._push.failure = f"the push took longer than git.timeout ({timeout:.0f} s)"
        finally:
            self._said.put_nowait(self._holder.finish(self._push.failure))
            self._said.put_nowait(None)
            self._context.pushes.close(self._push)


# The event loop keeps only weak references to tasks.
_RUNNING: set[asyncio.Task[None]] = set()


async def _git(
    context: Context,
    app: App,
    request: Request,
    service: str,
    *arguments: str,
    push: Push | None = None,
) -> Process:
    """Start a git service on the app's repository."""
    settings = context.parts.settings
    options = {
        "core.hooksPath": str(_HOOKS),
        "receive.denyDeletes": "true",
        "receive.maxInputSize": str(int(settings.git.max_push)),
        "receive.autogc": "true",
        "gc.auto": "200",
        "gc.autoDetach": "true",
        "http.receivepack": "true",
    }
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    path = context.parts.repository_path(app.name)
    command = [*words, service.removeprefix("git-"), "--stateless-rpc", *arguments, str(path)]
    return await asyncio.create_subprocess_exec(
        "git",
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=_environment(settings, request, push),
        start_new_session=True,
    )


def _environment(settings: Settings, request: Request, push: Push | None) -> dict[str, str]:
    """What git and the hooks get: nothing of ours but what they need."""
    port = settings.interface.port
    host = settings.interface.host
    variables = {
        # Our own Python first: it runs the hooks, and is quicker to start than a shim.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "HOME": str(settings.home),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    if "git-protocol" in request.headers:
        variables["GIT_PROTOCOL"] = request.headers["git-protocol"][:100]
    if push is not None:
        local = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared
        variables |= {
            "KURAMA_INTERFACE": f"{local}:{port}",
            "KURAMA_PUSH": push.id,
            "KURAMA_SECRET": push.secret,
            "KURAMA_TIMEOUT": str(settings.git.timeout.total_seconds()),
        }
    return variables


async def _small_body(request: Request) -> bytes:
    unzip = _decompressor(request)
    body = b""
    async for chunk in request.stream():
        body += unzip(chunk)
        if len(body) > _MOST_FETCH:
            raise TooLarge("This is too much for a fetch")
    return body


def _decompressor(request: Request) -> Callable[[bytes], bytes]:
    """What turns the body's chunks into what was meant: git zips long requests."""
    if request.headers.get("content-encoding") not in ("gzip", "x-gzip"):
        return bytes
    # zlib's sign for a gzip header; each piece is bounded, so that a bomb can't fill the memory.
    unzip = zlib.decompressobj(wbits=31)

    def decompress(chunk: bytes) -> bytes:
        try:
            data = unzip.decompress(chunk, _MOST_FETCH)
        except zlib.error as error:
            raise RequestRejected(f"The body is not gzip: {error}") from error
        if unzip.unconsumed_tail:
            raise TooLarge("This is too much for a fetch")
        return data

    return decompress


def _check_room(settings: Settings) -> None:
    free = shutil.disk_usage(settings.home).free
    if free < int(settings.build.min_free_disk):
        raise NoRoom(
            f"Kurama's disk has only {free // 1_000_000} MB left, so it takes no pushes",
            "Free some space where Kurama's home is, then push again.",
        )


def _too_large(commands: bytes, bound: int) -> bytes:
    """The answer to a push that is over the bound, in the words of git's own protocol."""
    try:
        packets, _ = pktline.split(commands)
    except pktline.Unframed:
        packets = []
    references = [one.split(b"\0")[0].split()[2] for one in packets if one and len(one) > 82]
    size = f"{bound // 1_000_000} MB"
    text = (
        f"\n !     This push has more than {size} (git.max_push).\n !\n"
        " !     Leave large files out of the history (git filter-repo), keep data elsewhere,\n"
        " !     or raise git.max_push in kuramaconfig.yaml.\n\n"
    )
    lines = [pktline.packet(b"unpack the push is too large\n")]
    lines += [
        pktline.packet(b"ng " + reference + b" more than " + size.encode() + b"\n")
        for reference in references
    ]
    content = b"\x01" + b"".join(lines) + pktline.FLUSH
    return report.progress(text) + pktline.packet(content) + pktline.FLUSH
