"""Bounds what a request may send: its body is in memory before anybody knows who asks."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A change of config is the largest body that means anything.
_MOST_BYTES = 2 * 1024 * 1024
# Packs are taken as they come, and have their own bound (git.max_push).
_STREAMED = "/git/"


class BoundedBodies:
    """Answers 413 as soon as a body is too large; the rest of it is not read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"].startswith(_STREAMED):
            await self._app(scope, receive, send)
            return
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > _MOST_BYTES:
                raise HTTPException(413, "the body is too large", {"Connection": "close"})
            return message

        await self._app(scope, bounded, send)
