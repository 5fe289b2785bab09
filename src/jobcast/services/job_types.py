"""What gateways know of the job types: their defaults, and the schema of their payloads."""

import asyncio
from collections.abc import Mapping
from typing import Final

from jobcast.domain.errors import UnknownJobType
from jobcast.runtime.clock import Clock
from jobcast.services.message_jobs import handling
from jobcast.services.payload_schema import PayloadSchema
from jobcast.store.base import Store, TypeInfo
from jobcast.store.overview import registered_types

ANY_TYPE: Final = "*"
STALE_AFTER: Final = 2.0
"""Seconds: types that a worker registers elsewhere are known here after this long at most."""

PLAIN = TypeInfo(
    type=ANY_TYPE,
    queue="default",
    max_attempts=3,
    timeout_ms=600_000,
    max_running=None,
    schema=None,
)
"""What holds for a type that no worker has named: the contract's defaults."""


def choose(known: Mapping[str, TypeInfo], kind: str) -> TypeInfo:
    """The defaults of a type among those that workers have registered.

    Raises UnknownJobType where there are some, but none for it.
    """
    if not known:
        return PLAIN
    found = known.get(kind) or known.get(ANY_TYPE)
    if found is None:
        raise UnknownJobType(f"Unknown job type: {kind}")
    return found


def check_payload(info: TypeInfo, payload: str) -> None:
    """Raises InvalidRequest naming each field of the payload that does not fit the type."""
    if info.schema is not None:
        PayloadSchema(info.schema).check(payload)


class JobTypes:
    """The registered types, read again when they are older than `STALE_AFTER`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, TypeInfo] = {}
        self._schemas: dict[str, PayloadSchema] = {}
        self._read_at: float | None = None
        self._reading = asyncio.Lock()
        self._news = 0

    def forget(self) -> None:
        """Reads the types anew at the next use: a worker has registered some."""
        self._read_at = None
        self._news += 1

    async def all(self) -> list[TypeInfo]:
        """Every registered type by name that can be submitted, `*` among them."""
        return [info for info in (await self._types()).values() if info.channel is None]

    async def handling(self, channel: str) -> TypeInfo | None:
        """What the messages that clients publish to a channel become; None: they stay messages."""
        return handling((await self._types()).values(), channel)

    async def resolve(self, kind: str) -> TypeInfo:
        """The type's defaults; raises UnknownJobType where workers are known, but none for it."""
        return choose(await self._types(), kind)

    def check(self, info: TypeInfo, payload: str) -> None:
        """Raises InvalidRequest naming each field of the payload that does not fit the type."""
        if info.schema is None:
            return
        held = self._schemas.get(info.type)
        if held is None or held.text != info.schema:
            held = self._schemas[info.type] = PayloadSchema(info.schema)
        held.check(payload)

    async def _types(self) -> dict[str, TypeInfo]:
        if not self._fresh():
            async with self._reading:  # nobody judges by what was known before the first read
                if not self._fresh():
                    began, news = self._clock.monotonic(), self._news
                    self._known = await self._store.read(registered_types)
                    if news == self._news:
                        self._read_at = began
        return self._known

    def _fresh(self) -> bool:
        return self._read_at is not None and self._clock.monotonic() - self._read_at <= STALE_AFTER
