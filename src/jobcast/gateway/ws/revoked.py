"""Sockets whose login or key was ended on another gateway.

Each gateway follows the topics of the logins and keys that its sockets stand on, so that it hears
at once. And it asks the store about all of them every second or so, by their ids, in one query for
a thousand: with the bus away, a socket still closes within two seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from jobcast.bus.base import Bus, Message, key_topic, login_topic
from jobcast.gateway.state import Gateway
from jobcast.gateway.ws.registry import Connections

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the store, give or take a quarter."""

IDS_IN_ONE_QUERY: Final = 1_000


class Revoked:
    """Hears of what ended elsewhere, and tells elsewhere what ended here."""

    def __init__(self, gateway: Gateway, connections: Connections, bus: Bus) -> None:
        self._accounts = gateway.accounts
        self._revocations = gateway.accounts.revocations
        self._connections = connections
        self._bus = bus
        self._subscriber = bus.subscriber(self._hear)
        self._topics: dict[str, Callable[[], None]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._revocations.announce.append(self._tell)

    async def tick(self) -> None:
        """Follows what the sockets of this moment stand on, and looks at it in the store."""
        principals = list(self._connections.principals())
        logins = {p.login_id for p in principals if p.login_id is not None}
        keys = {p.key_id for p in principals if p.key_id is not None}
        await self._follow(logins, keys)
        await _look(logins, self._accounts.logins.ended, self._revocations.login_has_ended)
        await _look(keys, self._accounts.keys.ended, self._revocations.key_has_ended)

    async def close(self) -> None:
        """Returns when everything that ended here has been told."""
        await self._subscriber.close()
        await asyncio.gather(*self._telling)

    async def _follow(self, logins: set[str], keys: set[str]) -> None:
        wanted: dict[str, Callable[[], None]] = {}
        for login_id in logins:
            wanted[login_topic(login_id)] = _call(self._revocations.login_has_ended, login_id)
        for key_id in keys:
            wanted[key_topic(key_id)] = _call(self._revocations.key_has_ended, key_id)
        gone, new = self._topics.keys() - wanted.keys(), wanted.keys() - self._topics.keys()
        self._topics = wanted
        if gone:
            await self._subscriber.remove(gone)
        if new:
            await self._subscriber.add(new)

    def _hear(self, messages: Sequence[Message]) -> None:
        for message in messages:
            ended = self._topics.get(message.topic)
            if ended is not None:
                ended()

    def _tell(self, topic: str) -> None:
        task = asyncio.get_running_loop().create_task(self._bus.publish([Message(topic)]))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


async def _look(
    ids: set[str],
    ended: Callable[[Sequence[str]], Awaitable[Sequence[str]]],
    end: Callable[[str], None],
) -> None:
    asked = sorted(ids)
    for start in range(0, len(asked), IDS_IN_ONE_QUERY):
        for id in await ended(asked[start : start + IDS_IN_ONE_QUERY]):
            end(id)


def _call(end: Callable[[str], None], id: str) -> Callable[[], None]:
    return lambda: end(id)
