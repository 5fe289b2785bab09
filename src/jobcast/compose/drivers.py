"""The drivers that settings ask for: the one place where they are chosen."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import structlog
from limits.aio.storage import MemoryStorage, Storage

from jobcast.bus.base import Bus
from jobcast.bus.memory import MemoryBus
from jobcast.bus.redis import RedisBus
from jobcast.compose.patience import patiently
from jobcast.compose.sturdy import SturdyStorage
from jobcast.domain.errors import Unavailable
from jobcast.runtime.clock import Clock
from jobcast.settings import Settings, SettingsError
from jobcast.store.base import Store
from jobcast.store.migrating import check
from jobcast.store.postgres import PostgresStore
from jobcast.store.sqlite import SqliteStore

log: Final = structlog.get_logger("jobcast.start")


@dataclass(frozen=True, slots=True)
class Drivers:
    """What everything else stands on, opened."""

    store: Store
    bus: Bus
    limits: Storage


async def open_drivers(settings: Settings, stack: AsyncExitStack, *, clock: Clock) -> Drivers:
    """Opens store and bus; the stack closes them.

    Raises SettingsError with what to do when the database can't be used, and OutOfReach when it
    does not answer for a while. Redis may be away.
    """
    store = await open_store(settings, stack, clock=clock)
    bus: Bus
    limits: Storage
    if settings.redis_url is None:
        bus = MemoryBus(hints=settings.hints)
        limits = MemoryStorage()
        if settings.database_url is not None:
            log.warning(
                "without REDIS_URL events reach watchers of other processes late, by repair, and "
                "each process counts limits for itself"
            )
    else:
        bus = RedisBus(settings.redis_url, hints=settings.hints)
        limits = SturdyStorage(settings.redis_url)
        stack.push_async_callback(limits.close)
    await bus.open()
    stack.push_async_callback(bus.close)
    return Drivers(store, bus, limits)


async def open_store(settings: Settings, stack: AsyncExitStack, *, clock: Clock) -> Store:
    """The store alone; raises as `open_drivers` does."""
    url = settings.database_url
    store: Store
    try:
        if url is None:
            store = SqliteStore(settings.data_dir, clock=clock)
            await store.open()
        else:
            await patiently(lambda: check(url), url)
            store = PostgresStore(url)
            await store.open()
    except Unavailable as problem:
        raise SettingsError([problem.message]) from problem
    stack.push_async_callback(store.close)
    return store
