"""Routes: records, stored and live."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from server import duration
from server.api import schemas
from server.api.auth import AppDep
from server.api.context import Context, Ctx
from server.errors import RequestRejected
from server.pipeline.tail import Missed
from server.store.records import RecordFilter

router = APIRouter(tags=["logs"])
_MOST_RECORDS = 10_000

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Count = Annotated[int, Query(ge=0, le=_MOST_RECORDS, description="how many of the newest")]
Time = Annotated[str | None, Query(description="RFC 3339, or a length of time ago: 5m, 2h")]


def _text(most: int, description: str) -> Any:
    return Query(max_length=most, pattern=schemas.NO_NUL, description=description)


def wanted(
    app: AppDep,
    since: Time = None,
    until: Time = None,
    level: Annotated[Level | None, Query(description="the lowest level")] = None,
    process: Annotated[str | None, _text(100, "web, or web.1")] = None,
    grep: Annotated[str | None, _text(1000, "text in the message")] = None,
) -> RecordFilter:
    """The filter that a query states.

    What is older than the app is of another one, which had its name before.
    """
    return RecordFilter(
        app=app.name,
        since=max(app.created_at, moment(since) or app.created_at),
        until=moment(until),
        level=level,
        process=process,
        text=grep,
    )


FilterDep = Annotated[RecordFilter, Depends(wanted)]


@router.get("/apps/{name}/logs")
def find_records(context: Ctx, record_filter: FilterDep, count: Count = 100) -> schemas.Records:
    """The newest stored records that fit, oldest first."""
    rows = context.records.find(record_filter, count)
    return schemas.Records(records=[as_json(row) for row in rows])


@router.get("/apps/{name}/logs/stream", response_class=StreamingResponse)
async def stream_records(
    context: Ctx, record_filter: FilterDep, count: Count = 10
) -> StreamingResponse:
    """The newest stored records that fit, and then new ones as they come, as JSON lines.

    `{"record": …}` each; `{"missed": N}` where the reader was too slow for N of them; a blank line
    when there has been none for a while.
    """
    return StreamingResponse(
        _stream(context, record_filter, count), media_type="application/x-ndjson"
    )


async def _stream(
    context: Context, record_filter: RecordFilter, count: int
) -> AsyncIterator[bytes]:
    seen: set[str] = set()
    begun = False
    async for one in context.tails.follow(record_filter):
        if not begun:
            begun = True
            rows = await run_in_threadpool(context.records.find, record_filter, count)
            for row in rows:
                seen.add(row["uuid"])
                yield orjson.dumps({"record": as_json(row)}) + b"\n"
        if one is None:
            yield b"\n"
        elif isinstance(one, Missed):
            yield orjson.dumps({"missed": one.count}) + b"\n"
        elif not (seen and _was_seen(one, seen)):
            yield b'{"record":' + one + b"}\n"


def _was_seen(line: bytes, seen: set[str]) -> bool:
    number = orjson.loads(line)["uuid"]
    if number in seen:
        seen.discard(number)
        return True
    return False


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table as the record that it was."""
    at: datetime = row["timestamp"]
    text = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {**row, "timestamp": text}


def moment(text: str | None) -> datetime | None:
    """The time that `text` states: RFC 3339, or so long ago. RequestRejected if neither."""
    if text is None:
        return None
    try:
        return datetime.now(UTC) - duration.parse(text)
    except (ValueError, OverflowError):
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise RequestRejected(
            f"{text!r} is no time", "Write 5m, 2h, 3d, or 2026-01-31T12:00:00Z."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
