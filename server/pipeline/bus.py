"""NATS JetStream as the bus: one stream of record batches, a durable consumer for each service.

Subjects are `records.APP.PROCESS`; a message is a batch of newline-terminated records. A message
stays until every service has acknowledged it, or the stream is full: then it takes no more, and
ingest waits. What must not live here: what is in a record.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from server.errors import StreamError

STREAM = "records"
SUBJECTS = "records.*.*"
# Every service that reads the stream. A message waits for all of them.
CONSUMERS = ("persistence",)
_ACK_WAIT_S = 30.0
_MOST_UNACKNOWLEDGED = 1000
_PUBLISH_TIMEOUT_S = 5.0
_CONNECT_TIMEOUT_S = 5
_START_PATIENCE_S = 30.0
_START_RETRY_S = 0.2

log = logging.getLogger(__name__)


class Bus:
    """A connection to the bus, for one event loop; it reconnects by itself for ever."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._client = Client()
        self._stream: JetStreamContext | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the bus answers at this moment."""
        return self._client.is_connected

    async def connect(self) -> None:
        """Connect the first time; StreamError when the bus can't be reached."""

        async def on_error(error: Exception) -> None:
            log.warning("bus: %s", error)

        try:
            # The driver's own patience with a first connection is two minutes.
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await self._probe()
                # Only a connection that was there once is worth waiting for without end.
                self._client = await nats.connect(
                    self._url,
                    name=self._name,
                    connect_timeout=_CONNECT_TIMEOUT_S,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.25,
                    error_cb=on_error,
                )
        except (OSError, nats.errors.Error, TimeoutError) as error:
            raise StreamError(f"The bus (NATS) can't be reached: {error or 'timeout'}") from error
        self._stream = self._client.jetstream(timeout=_PUBLISH_TIMEOUT_S)

    async def _probe(self) -> None:
        """Raise at once what stands in the way of a connection."""

        async def ignore(_error: Exception) -> None:
            """It is raised, too."""

        probe = Client()
        try:
            await probe.connect(
                self._url,
                connect_timeout=_CONNECT_TIMEOUT_S,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                error_cb=ignore,
            )
        finally:
            await probe.close()

    async def provide(self, max_bytes: int) -> None:
        """Make the stream and its consumers, or bring them to what they should be."""
        config = StreamConfig(
            name=STREAM,
            subjects=[SUBJECTS],
            retention=RetentionPolicy.INTEREST,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_bytes=max_bytes,
            # Identity is the record's UUID, not the message's: JetStream's own window is small.
            duplicate_window=1,
        )
        jetstream = self._jetstream
        try:
            try:
                there = await jetstream.stream_info(STREAM)
            except nats.js.errors.NotFoundError:
                await jetstream.add_stream(config)
            else:
                if there.config.max_bytes != max_bytes:
                    await jetstream.update_stream(config)
            for name in CONSUMERS:
                await jetstream.add_consumer(
                    STREAM,
                    ConsumerConfig(
                        durable_name=name,
                        ack_policy=AckPolicy.EXPLICIT,
                        ack_wait=_ACK_WAIT_S,
                        max_ack_pending=_MOST_UNACKNOWLEDGED,
                    ),
                )
        except (nats.errors.Error, TimeoutError) as error:
            raise StreamError(f"The bus refused its stream: {error}") from error

    async def publish(self, subject: str, batch: bytes) -> None:
        """Return when the bus has the batch; StreamError when it didn't take it: try again."""
        try:
            await self._jetstream.publish(subject, batch, timeout=_PUBLISH_TIMEOUT_S, stream=STREAM)
        except (nats.errors.Error, TimeoutError) as error:
            raise StreamError(f"The bus did not take a batch: {error or 'timeout'}") from error

    async def pull(self, consumer: str) -> JetStreamContext.PullSubscription:
        """A service's place in the stream, shared by all its copies."""
        return await self._jetstream.pull_subscribe_bind(consumer=consumer, stream=STREAM)

    async def watch(self, subject: str, on_batch: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Call `on_batch` with what passes from now on, without a claim to get all of it."""
        return await self._client.subscribe(subject, cb=on_batch)

    async def backlog(self, consumer: str) -> int:
        """How many messages a service has not acknowledged yet."""
        try:
            info = await self._jetstream.consumer_info(STREAM, consumer)
        except (nats.errors.Error, TimeoutError) as error:
            raise StreamError(f"The bus didn't say how far {consumer} is: {error}") from error
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def close(self) -> None:
        """Disconnect. Nothing is in flight: `publish` returns when the bus has it."""
        await self._client.close()

    @property
    def _jetstream(self) -> JetStreamContext:
        if self._stream is None:
            raise StreamError("The bus is not connected yet")
        return self._stream


async def connected(url: str, name: str, stopping: asyncio.Event | None = None) -> Bus:
    """A connected bus; waits for one that is just starting.

    StreamError if it stays away, or is away when `stopping` is set.
    """
    bus = Bus(url, name)
    deadline = asyncio.get_running_loop().time() + _START_PATIENCE_S
    while not bus.is_connected:
        try:
            await bus.connect()
        except StreamError:
            told_to_stop = stopping is not None and stopping.is_set()
            if told_to_stop or asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(_START_RETRY_S)
    return bus


def subject(app: str, process: str) -> str:
    """Where the records of one process of an app travel."""
    return f"records.{app}.{process}"


def token(text: Any) -> str:
    """`text` as one word of a subject: whatever has a meaning there becomes `_`."""
    word = "".join(c if c.isalnum() or c in "-_" else "_" for c in str(text)[:63] if c.isascii())
    return word or "_"
