"""Routes: deploys, and what they say while they run."""

import asyncio
from collections.abc import AsyncIterator

import orjson
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from server.api import schemas
from server.api.auth import AppDep
from server.api.context import Context, Ctx
from server.deploys.progress import Progress
from server.models import App

router = APIRouter(tags=["deploys"])
# A line without content, so that neither end takes a silent build for a dead connection.
_HEARTBEAT_S = 10.0


@router.get("/apps/{name}/deploys/{deploy_id}")
def show_deploy(deploy_id: int, context: Ctx, app: AppDep) -> schemas.DeployOut:
    """One deploy as it is now."""
    return _shown(context, app, deploy_id)


@router.get("/apps/{name}/deploys/{deploy_id}/output", response_class=StreamingResponse)
def follow_deploy(deploy_id: int, context: Ctx, app: AppDep) -> StreamingResponse:
    """What the deploy says, as JSON lines: `{"line": …}` each, at last `{"end": deploy}`.

    It goes on to the deploy's end; a blank line now and then means that it is still under way.
    """
    progress = context.deployer.progress(deploy_id)
    deploy = context.parts.deploys.get(app, deploy_id)

    async def lines() -> AsyncIterator[bytes]:
        if progress is None:
            for line in deploy.output.splitlines():
                yield orjson.dumps({"line": line}) + b"\n"
        else:
            async for one in follow(progress):
                yield b"\n" if one is None else orjson.dumps({"line": one}) + b"\n"
        ended = await run_in_threadpool(_shown, context, app, deploy_id)
        yield orjson.dumps({"end": ended.model_dump(mode="json")}) + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def follow(progress: Progress) -> AsyncIterator[str | None]:
    """Yield each line as it is said, and None when nothing was for a while, until the end."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def tell() -> None:
        loop.call_soon_threadsafe(changed.set)

    forget = progress.listen(tell)
    seen = 0
    try:
        while True:
            changed.clear()
            lines, seen, ended = progress.since(seen)
            for line in lines:
                yield line
            if ended:
                return
            try:
                await asyncio.wait_for(changed.wait(), _HEARTBEAT_S)
            except TimeoutError:
                yield None
    finally:
        forget()


def _shown(context: Context, app: App, deploy_id: int) -> schemas.DeployOut:
    deploy = context.parts.deploys.get(app, deploy_id)
    release = context.parts.releases.get(deploy.release_id) if deploy.release_id else None
    return schemas.DeployOut.of(deploy, release)
