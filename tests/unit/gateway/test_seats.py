"""The quota of open sockets: so many for each tenant, and none is lost when they go."""

import pytest

from jobcast.domain.errors import QuotaExceeded
from jobcast.gateway.seats import Seats
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
