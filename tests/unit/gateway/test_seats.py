"""The quota of open sockets: so many for each tenant, and none is lost when they go."""

import pytest

from jobcast.bus.base import Crowd, Standing, seats_topic
from jobcast.bus.memory import MemoryBus
from jobcast.domain.errors import QuotaExceeded, Unavailable
from jobcast.gateway.seats import PART, Seats, SharedSeats
from jobcast.runtime.clock import FakeClock
from jobcast.services.refusals import REFUSED, Quota


def test_a_tenant_has_so_many_seats_and_others_have_their_own() -> None:
    seats = Seats()
    refused = REFUSED[Quota.CONNECTIONS]
    for _ in range(2):
        seats.take("acme", limit=2)

    with pytest.raises(QuotaExceeded, match=r"Too many connections: a tenant may have 2"):
        seats.take("acme", limit=2)

    seats.take("globex", limit=2)
    assert REFUSED[Quota.CONNECTIONS] == refused + 1


def test_who_was_refused_has_taken_nothing() -> None:
    seats = Seats()
    seats.take("acme", limit=1)
    for _ in range(3):
        with pytest.raises(QuotaExceeded):
            seats.take("acme", limit=1)

    seats.leave("acme")

    seats.take("acme", limit=1)


def test_a_tenant_without_connections_leaves_no_trace() -> None:
    seats = Seats()
    for tenant in range(100):
        seats.take(f"t{tenant}", limit=1)
        seats.leave(f"t{tenant}")

    assert not seats._taken


class Gateways:
    """Several gateways on one bus."""

    def __init__(self, count: int, *, limit: int) -> None:
        self.bus = MemoryBus()
        self.limit = limit
        self.seats = [Seats() for _ in range(count)]
        self.shared = [SharedSeats(one, self.bus, FakeClock(), limit=limit) for one in self.seats]

    async def look(self) -> None:
        """Everyone tells, then everyone has learned."""
        for shared in self.shared * 2:
            await shared.look()

    def fill(self, number: int, count: int) -> int:
        """How many of so many connections a gateway takes."""
        taken = 0
        for _ in range(count):
            try:
                self.seats[number].take("acme", limit=self.limit)
            except QuotaExceeded:
                continue
            taken += 1
        return taken


async def test_the_quota_holds_over_all_gateways() -> None:
    gateways = Gateways(3, limit=100)
    assert [gateways.fill(number, 30) for number in range(3)] == [30, 30, 30]
    await gateways.look()

    assert gateways.fill(0, 30) == 10

    for _ in range(40):
        gateways.seats[0].leave("acme")
    await gateways.look()
    assert gateways.fill(1, 100) == 40


async def test_a_gateway_that_goes_leaves_its_places_to_the_others() -> None:
    gateways = Gateways(2, limit=10)
    gateways.fill(0, 6)
    gateways.fill(1, 4)
    await gateways.look()

    await gateways.shared[0].close()
    await gateways.shared[1].look()

    assert gateways.fill(1, 10) == 6


async def test_small_parts_are_told_to_nobody() -> None:
    gateways = Gateways(2, limit=1_000)
    gateways.fill(0, 1_000 // PART - 1)

    await gateways.look()

    assert await gateways.bus.standings([seats_topic("acme")]) == [Standing(Crowd(0, 0), 0, "")]


async def test_without_the_bus_each_gateway_holds_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    gateways = Gateways(2, limit=10)
    gateways.fill(0, 10)
    gateways.fill(1, 1)
    await gateways.look()
    assert gateways.fill(1, 1) == 0

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("Redis is away.")

    monkeypatch.setattr(gateways.bus, "attend", away)
    await gateways.look()

    assert gateways.fill(1, 20) == 9
