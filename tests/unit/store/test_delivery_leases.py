"""The ring of endpoints, on SQLite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.services.deliveries_store import DeliveriesStore

from jobcast.runtime.ids import new_id
from jobcast.store import delivery_leases
from jobcast.store.delivery_leases import Lease

NOW = 1_800_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DeliveriesStore]:
    store = DeliveriesStore(tmp_path)
    yield store
    store.engine.dispose()


def lease(
    store: DeliveriesStore,
    *,
    limit: int = 64,
    busy: dict[str, int] | None = None,
    cursor: str | None = None,
    now: int = NOW,
) -> Lease:
    return store.run(
        lambda conn: delivery_leases.lease(
            conn,
            token=new_id(),
            now=now,
            until=now + 60_000,
            limit=limit,
            per_endpoint=5,
            busy=busy or {},
            cursor=cursor,
        )
    )


def endpoints(got: Lease) -> dict[str, int]:
    return dict(Counter(delivery.endpoint for delivery in got.taken))


def test_nothing_is_taken_before_it_is_due(store: DeliveriesStore) -> None:
    store.add("http://a/", due_at=NOW + 1)

    got = lease(store)

    assert (got.taken, got.more, got.next_due) == ((), False, NOW + 1)


def test_the_first_due_go_first(store: DeliveriesStore) -> None:
    late = store.add("http://a/", due_at=NOW)
    early = store.add("http://a/", due_at=NOW - 1)

    assert [delivery.id for delivery in lease(store).taken] == [early, late]


def test_what_is_taken_is_not_taken_again_until_its_lease_ends(store: DeliveriesStore) -> None:
    store.add("http://a/", due_at=NOW)

    assert len(lease(store).taken) == 1
    assert len(lease(store).taken) == 0
    assert len(lease(store, now=NOW + 60_000).taken) == 0
    assert len(lease(store, now=NOW + 60_001).taken) == 1


def test_each_endpoint_gets_a_few_places(store: DeliveriesStore) -> None:
    for number in range(20):
        store.add(f"http://dead/{number}", due_at=NOW - 20 + number)
    store.add("http://healthy/", due_at=NOW)

    assert endpoints(lease(store)) == {"http://dead:80": 5, "http://healthy:80": 1}


def test_what_an_endpoint_has_in_hand_is_taken_off_its_places(store: DeliveriesStore) -> None:
    for number in range(20):
        store.add(f"http://a/{number}", due_at=NOW)
        store.add(f"http://b/{number}", due_at=NOW)

    got = lease(store, busy={"http://a:80": 5, "http://b:80": 3})

    assert endpoints(got) == {"http://b:80": 2}


def test_the_ring_goes_on_where_it_stopped(store: DeliveriesStore) -> None:
    for name in "abc":
        for number in range(5):
            store.add(f"http://{name}/{number}", due_at=NOW)

    first = lease(store, limit=7)
    second = lease(store, limit=7, cursor=first.cursor)
    third = lease(store, limit=7, cursor=second.cursor)

    assert endpoints(first) == {"http://a:80": 5, "http://b:80": 2}
    assert endpoints(second) == {"http://c:80": 5}
    assert (second.cursor, second.more) == (None, True)
    assert endpoints(third) == {"http://b:80": 3}
    assert third.more is False


def test_a_full_hand_asks_for_no_more_at_once(store: DeliveriesStore) -> None:
    for name in "abc":
        store.add(f"http://{name}/", due_at=NOW)

    got = lease(store, limit=2)

    assert (len(got.taken), got.cursor, got.more) == (2, "http://b:80", False)


def test_one_walk_looks_at_so_many_endpoints_and_the_next_goes_on(
    store: DeliveriesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_leases, "RING_WALK", 2)
    for name in "abc":
        store.add(f"http://{name}/", due_at=NOW + 9)
    store.add("http://d/", due_at=NOW)

    first = lease(store)
    second = lease(store, cursor=first.cursor)

    assert (endpoints(first), first.cursor, first.more) == ({}, "http://b:80", True)
    assert endpoints(second) == {"http://d:80": 1}
    assert second.next_due == NOW + 9


def test_the_next_due_is_told_while_others_are_taken(store: DeliveriesStore) -> None:
    store.add("http://a/", due_at=NOW)
    store.add("http://b/", due_at=NOW + 2_000)

    assert lease(store).next_due == NOW + 2_000
