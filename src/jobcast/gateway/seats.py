"""The quota of open sockets for each tenant, over all gateways.

Each gateway counts its own at once. Of tenants that have a good part of their quota on it, it says
how many to the bus, under a lease, and learns how many the others have: so the quota holds over all
of them, but for what came in since the last look, and for small parts that nobody has named.
Where the bus is away, each gateway holds the quota for itself.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import structlog

from jobcast.bus.base import Attendance, Bus, seats_topic
from jobcast.domain.errors import Unavailable
from jobcast.runtime.clock import Clock
from jobcast.runtime.ids import new_id
from jobcast.services.refusals import Quota, too_many

log: Final = structlog.get_logger("jobcast.gateway")

LOOK_EVERY: Final = 1.0
"""Seconds between looks at what the other gateways have."""

PART: Final = 20
"""A tenant's sockets here are told from a twentieth of its quota on: the many small ones never."""


class Seats:
    """Taken when a connection has shown its credentials, free again when it is gone."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._elsewhere: Mapping[str, int] = {}

    def take(self, tenant_id: str, *, limit: int) -> None:
        """One more connection of a tenant; raises QuotaExceeded when it has `limit` already."""
        if self._taken[tenant_id] + self._elsewhere.get(tenant_id, 0) >= limit:
            raise too_many(
                Quota.CONNECTIONS,
                f"Too many connections: a tenant may have {limit}.",
                retry_after=30,
            )
        self._taken[tenant_id] += 1

    def leave(self, tenant_id: str) -> None:
        """A connection of the tenant is gone."""
        self._taken[tenant_id] -= 1
        if not self._taken[tenant_id]:
            del self._taken[tenant_id]

    def least(self, count: int) -> dict[str, int]:
        """The tenants with so many connections here, and how many they have."""
        return {tenant: taken for tenant, taken in self._taken.items() if taken >= count}

    def learn(self, elsewhere: Mapping[str, int]) -> None:
        """How many connections of tenants the other gateways have."""
        self._elsewhere = elsewhere


class SharedSeats:
    """Tells the other gateways, and learns from them; `limit` is the quota."""

    def __init__(self, seats: Seats, bus: Bus, clock: Clock, *, limit: int) -> None:
        self._seats = seats
        self._bus = bus
        self._clock = clock
        self._least = max(1, limit // PART)
        self._instance = f"seats-{new_id()}"
        self._told: dict[str, int] = {}

    async def look(self) -> None:
        """States what is here, and learns what is elsewhere."""
        here = self._seats.least(self._least)
        told = {**dict.fromkeys(self._told, 0), **here}
        if not told:
            return
        rooms = {seats_topic(tenant): Attendance(count) for tenant, count in told.items()}
        try:
            standings = await self._bus.attend(self._instance, rooms, now=self._clock.now())
        except Unavailable as problem:
            log.info("connections are not counted together", problem=problem.message)
            self._seats.learn({})
            return
        self._told = here
        self._seats.learn(
            {
                tenant: max(0, standings[seats_topic(tenant)].crowd.count - count)
                for tenant, count in here.items()
            }
        )

    async def close(self) -> None:
        """Nobody is connected here any more."""
        try:
            await self._bus.depart(self._instance)
        except Unavailable as problem:
            log.info("connections end with their lease", problem=problem.message)
