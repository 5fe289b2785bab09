"""The one connection of a process on which it listens to Redis, and its supervisor.

A connection may be deaf without an error: a proxy that swallows, a server that was stopped, a
subscription that was dropped. So a canary is published every two seconds and must come back; where
it does not, the connection is replaced. Who listens repairs itself from the store meanwhile.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Any, Final

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from jobcast.bus.redis.canary import Canary
from jobcast.runtime.ids import new_id
from jobcast.runtime.loops import jittered

CANARY_EVERY: Final = 2.0
"""Seconds between canaries."""

DEAF_AFTER: Final = 5.0
"""Seconds without one until the connection is replaced."""

RETRY_CAP: Final = 2.0
"""Seconds between attempts to connect, at most."""

CONFIRM_SECONDS: Final = 2.0
"""How long a subscription waits to be confirmed; then it goes on, and the store repairs."""

CHUNK: Final = 1_000
"""Topics in one command."""

AWAY: Final = (RedisError, OSError, TimeoutError, asyncio.IncompleteReadError)

log: Final = structlog.get_logger("jobcast.bus")


class Listener:
    """Follows topics and hands over what comes, in batches, on the loop.

    `topics` names what is to be followed after a reconnect; `canary` publishes a message to a
    topic.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractConnection],
        receive: Callable[[list[tuple[bytes, bytes]]], None],
        *,
        topics: Callable[[], Iterable[str]],
        canary: Callable[[str], Awaitable[None]],
        prefix: str,
        canary_every: float,
        deaf_after: float,
    ) -> None:
        self.reconnects: int = 0
        self.deaf: int = 0
        self.connected: bool = False
        self._connect = connect
        self._receive = receive
        self._topics = topics
        self._sing_to = canary
        self._canary = Canary()
        self._canary_topic = f"{prefix}canary:{new_id()}"
        self._canary_every = canary_every
        self._deaf_after = deaf_after
        self._connection: AbstractConnection | None = None
        self._waiting: Counter[str] = Counter()
        self._confirmed: dict[str, list[asyncio.Future[None]]] = {}
        self._news: list[tuple[bytes, bytes]] = []
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._said = False

    @property
    def lag(self) -> float | None:
        """Seconds that the newest canary took, or takes by now; None while none has come."""
        return self._canary.lag(monotonic())

    async def open(self) -> None:
        """Begins to listen; returns when it does, or when the first attempt has failed."""
        self._task = asyncio.create_task(self._supervise(), name="redis listener")
        await self._ready.wait()

    async def close(self) -> None:
        """Listens no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._let_go()

    async def follow(self, topics: list[str]) -> None:
        """Subscribes; returns when Redis has confirmed, or at once when it is away."""
        connection = self._connection
        if connection is None or not topics:
            return
        loop = asyncio.get_running_loop()
        waits: list[asyncio.Future[None]] = []
        for topic in topics:
            self._waiting[topic] += 1
            wait: asyncio.Future[None] = loop.create_future()
            self._confirmed.setdefault(topic, []).append(wait)
            waits.append(wait)
        try:
            await self._send(connection, "SUBSCRIBE", topics)
            await asyncio.wait(waits, timeout=CONFIRM_SECONDS)
        except AWAY:
            return  # the supervisor sees it too, and follows all anew
        finally:
            for wait in waits:
                wait.cancel()

    async def confirmed(self, topic: str) -> None:
        """Returns when a subscription that another one sent is confirmed."""
        if self._waiting[topic] and self._connection is not None:
            wait: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._confirmed.setdefault(topic, []).append(wait)
            await asyncio.wait([wait], timeout=CONFIRM_SECONDS)
            wait.cancel()

    async def leave(self, topics: list[str]) -> None:
        """Unsubscribes."""
        connection = self._connection
        if connection is None or not topics:
            return
        try:
            await self._send(connection, "UNSUBSCRIBE", topics)
        except AWAY:
            return

    async def _send(self, connection: AbstractConnection, command: str, topics: list[str]) -> None:
        for start in range(0, len(topics), CHUNK):
            await connection.send_command(command, *topics[start : start + CHUNK])

    async def _supervise(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
            except AWAY as problem:
                if not self._said:
                    log.warning("redis does not answer: watchers are late", problem=repr(problem))
                self._said = True
            failures = 0 if self.connected else failures + 1
            self.connected = False
            self._let_go()
            self._ready.set()
            wait = min(RETRY_CAP, 0.05 * 2 ** min(failures, 6))
            await asyncio.sleep(jittered(wait, chance=random.random()))  # noqa: S311
            self.reconnects += 1

    async def _listen(self) -> None:
        connection = self._connect()
        canary: asyncio.Task[None] | None = None
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            self._connection = connection
            self._canary.begin(monotonic())
            topics = [*self._topics(), self._canary_topic]
            self._waiting.update(topics)
            await self._send(connection, "SUBSCRIBE", topics)
            canary = asyncio.create_task(self._sing(connection), name="redis canary")
            while True:
                self._take(await connection.read_response(disable_decoding=True))
        finally:
            self._connection = None
            if canary is not None:
                canary.cancel()
                await asyncio.gather(canary, return_exceptions=True)
            await connection.disconnect(nowait=True)

    async def _sing(self, connection: AbstractConnection) -> None:
        while True:
            self._canary.sang(monotonic())
            await self._sing_to(self._canary_topic)
            await asyncio.sleep(jittered(self._canary_every, chance=random.random()))  # noqa: S311
            if self._canary.silence(monotonic()) > self._deaf_after:
                self.deaf += 1
                log.warning("redis is deaf: the connection is replaced")
                await connection.disconnect(nowait=True)  # which ends the reading
                return

    def _take(self, response: Any) -> None:
        kind, topic = response[0], response[1]
        if kind == b"message":
            if topic == self._canary_topic.encode():
                self._canary.heard(monotonic())
                return
            if not self._news:
                # What is parsed already follows before the loop's next turn: one call for all.
                asyncio.get_running_loop().call_soon(self._hand_over)
            self._news.append((topic, response[2]))
        elif kind == b"subscribe":
            self._confirm(topic.decode())

    def _confirm(self, topic: str) -> None:
        if topic == self._canary_topic:
            self.connected = True
            if self._said:
                log.info("redis answers again")
            self._said = False
            self._ready.set()
        self._waiting[topic] -= 1
        if self._waiting[topic] <= 0:
            del self._waiting[topic]
            for wait in self._confirmed.pop(topic, ()):
                if not wait.done():
                    wait.set_result(None)

    def _hand_over(self) -> None:
        news, self._news = self._news, []
        self._receive(news)

    def _let_go(self) -> None:
        """Nobody waits for a connection that is gone."""
        self._waiting.clear()
        waits = [wait for group in self._confirmed.values() for wait in group]
        self._confirmed.clear()
        for wait in waits:
            if not wait.done():
                wait.set_result(None)
