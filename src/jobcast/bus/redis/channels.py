"""Channels in Redis: one script numbers, stores and publishes a message."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

from redis.asyncio import Redis

from jobcast.bus.base import KEPT_MS, LISTED_CHANNELS, History, Message, Post
from jobcast.bus.memory import KEPT_MESSAGES
from jobcast.runtime.ids import new_id

SILENT_SECONDS: Final = 7 * 24 * 3_600
"""A channel to which nobody posted for so long is forgotten; its next message has a new epoch."""


class Channels:
    """The histories of all channels. What redis-py raises goes through."""

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._post = client.register_script(script("post.lua"))
        self._history = client.register_script(script("history.lua"))

    async def post(self, channel: str, body: bytes, *, key: str | None, now: int) -> Post:
        """Numbers, keeps and publishes a message; the same key answers the same."""
        prefix, (scope, _, name) = self._prefix, channel.rpartition("/")
        remembered = 0 if key is None else KEPT_MS // 1000
        offset, epoch = await self._post(
            keys=[
                *self._names(channel),
                f"{prefix}posted:{channel}/{key or ''}",
                f"{prefix}index:{scope}",
            ],
            args=[
                *(new_id(), now, now - KEPT_MS, KEPT_MESSAGES, SILENT_SECONDS, remembered),
                *(name, body, prefix + channel),
            ],
        )
        return Post(int(offset), epoch.decode())

    async def history(self, channel: str, *, after: int, epoch: str | None, now: int) -> History:
        """What is kept behind an offset."""
        answer: list[Any] = await self._history(
            keys=self._names(channel), args=[new_id(), SILENT_SECONDS]
        )
        current, offset = answer[0].decode(), int(answer[1])
        same = epoch is None or epoch == current
        start = after if same else 0
        found = []
        for entry in answer[2]:
            number, at, body = entry.split(b":", 2)
            if int(at) > now - KEPT_MS and int(number) > start:
                found.append(Message(channel, int(number), body, current))
        complete = same and after <= offset and len(found) == offset - after
        return History(found, offset, current, complete)

    async def names(self, scope: str, *, now: int) -> Sequence[str]:
        """Where something happened within a day, by name; of too many the latest."""
        found: Any = await self._client.zrevrangebyscore(
            f"{self._prefix}index:{scope}", "+inf", f"({now - KEPT_MS}", 0, LISTED_CHANNELS
        )
        return sorted(name.decode() for name in found)

    def _names(self, channel: str) -> list[str]:
        return [f"{self._prefix}{part}:{channel}" for part in ("meta", "entries")]


def script(name: str) -> str:
    """The text of a script that stands beside this module."""
    return files("jobcast.bus.redis").joinpath(name).read_text("utf-8")
