"""Presence in Redis: one script states, checks and counts, so that no two disagree."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis

from jobcast.bus.base import KEPT_MS, Attendance, Crowd, Renewal, Standing
from jobcast.bus.redis.channels import script

CHUNK: Final = 200
"""Channels in one call: Redis does nothing else meanwhile."""


class Presence:
    """Who is in channels through which instance. What redis-py raises goes through.

    `lease` is in seconds: of an instance that has not renewed for so long nothing counts.
    """

    def __init__(self, client: Redis, *, prefix: str, lease: float) -> None:
        self._client = client
        self._prefix = prefix
        self._lease_ms = round(lease * 1000)
        self._script = client.register_script(script("presence.lua"))

    async def attend(
        self, instance: str, rooms: Mapping[str, Attendance], *, now: int
    ) -> Mapping[str, Standing]:
        """States who is there; how the channels then stand."""
        answer: dict[str, Standing] = {}
        for chunk in _chunks(list(rooms)):
            words: list[str | int] = []
            for topic in chunk:
                stated = rooms[topic]
                words += (topic, "state", stated.count, len(stated.users), *stated.users)
            found = await self._ask(instance, words, now=now)
            answer |= {topic: row[1] for topic, row in zip(chunk, found, strict=True)}
        return answer

    async def renew(self, instance: str, rooms: Mapping[str, Attendance], *, now: int) -> Renewal:
        """Renews the lease; how the channels stand, and which of them not as they were stated."""
        standings: dict[str, Standing] = {}
        unknown: set[str] = set()
        for chunk in list(_chunks(list(rooms))) or [[]]:
            words: list[str | int] = []
            for topic in chunk:
                words += (topic, "check", rooms[topic].count, len(rooms[topic].users))
            found = await self._ask(instance, words, now=now)
            for topic, (stands, standing) in zip(chunk, found, strict=True):
                standings[topic] = standing
                if not stands:
                    unknown.add(topic)
        return Renewal(standings, unknown)

    async def depart(self, instance: str) -> None:
        """Ends the lease of an instance."""
        await self._client.delete(self._lease(instance))

    async def standings(self, channels: Sequence[str]) -> Sequence[Standing]:
        """How channels stand, in their order."""
        answer: list[Standing] = []
        for chunk in _chunks(channels):
            words = [word for topic in chunk for word in (topic, "look", 0, 0)]
            answer += [standing for _, standing in await self._ask("", words, now=KEPT_MS)]
        return answer

    async def _ask(
        self, instance: str, words: Sequence[str | int], *, now: int
    ) -> list[tuple[bool, Standing]]:
        rows: list[Any] = await self._script(
            keys=[self._lease(instance)],
            args=[self._prefix, instance, self._lease_ms, now, now - KEPT_MS, *words],
        )
        return [
            (bool(stands), Standing(Crowd(count, users), offset, epoch.decode()))
            for stands, count, users, offset, epoch in rows
        ]

    def _lease(self, instance: str) -> str:
        return f"{self._prefix}lease:{instance}"


def _chunks(topics: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(topics), CHUNK):
        yield topics[start : start + CHUNK]
