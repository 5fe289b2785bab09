"""When API keys were last used: noted off the hot path, at most once a minute for each."""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from jobcast.runtime.clock import Clock
from jobcast.store import accounts as sql
from jobcast.store.base import Store

log: Final = structlog.get_logger("jobcast.keys")

EVERY_MS: Final = 60_000
"""Older than this, a note is renewed."""


class KeyUsage:
    """Gathers uses and writes them by one task; `close` waits for it."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._pending: dict[str, int] = {}
        self._writer: asyncio.Task[None] | None = None

    def used(self, key: sql.Key) -> None:
        """Notes that the key was used just now, unless that stands there already."""
        now = self._clock.now()
        if key.last_used_at is not None and now - key.last_used_at < EVERY_MS:
            return
        self._pending[key.id] = now
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def close(self) -> None:
        """Returns when everything is written."""
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self._pending:
            used, self._pending = self._pending, {}
            await self._save(used)

    async def _save(self, used: Mapping[str, int]) -> None:
        try:
            await self._store.write(lambda conn: sql.touch_keys(conn, used=used))
        except Exception as problem:
            # Nobody depends on the note, and the key's next use makes another.
            log.warning("last use of keys not noted", keys=len(used), error=repr(problem))
