"""What stands in the store for webhooks: deliveries to take, endpoints that fare, secrets."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import insert
from tests.suites.workbench import Bench

from jobcast.domain.webhook import Answer, DeliveryState, Next
from jobcast.runtime.ids import new_id
from jobcast.services import delivery_batches
from jobcast.services.delivery_batches import Parcel, Recorded
from jobcast.store import deliveries as sql
from jobcast.store import endpoints, webhook_secrets
from jobcast.store.delivery_leases import Attempted
from jobcast.store.schema import deliveries

DAY = 24 * 3_600_000
NO = Answer(500, "no", body="a\ufffdb")


async def due(bench: Bench, *names: str, tenant_id: str = "acme") -> None:
    """A delivery to each of these endpoints is due."""
    now = bench.clock.now()
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "job_id": new_id(),
            "tenant_id": tenant_id,
            "url": f"https://{name}/",
            "endpoint": name,
            "body": "{}",
            "seq": 3,
            "state": "PENDING",
            "attempts": 0,
            "due_at": now,
            "created_at": now,
        }
        for name in names
    ]
    await bench.store.write(lambda conn: conn.execute(insert(deliveries), rows))


async def taken(bench: Bench) -> list[Parcel]:
    """What is due, in hand."""
    now = bench.clock.now()
    _, parcels = await bench.store.write(
        lambda conn: delivery_batches.take(
            conn,
            token=new_id(),
            now=now,
            until=now + 60_000,
            limit=100,
            per_endpoint=5,
            busy={},
            cursor=None,
            own=("own",),
        )
    )
    return parcels


async def came_to(bench: Bench, answer: Answer, parcels: list[Parcel]) -> Recorded:
    """The answer to all of them; they end with it."""
    now = bench.clock.now()
    state = DeliveryState.SUCCEEDED if answer.success else DeliveryState.FAILED
    attempts = [
        Attempted(new_id(), parcel.delivery, now, answer, Next(state)) for parcel in parcels
    ]
    return await bench.store.write(
        lambda conn: delivery_batches.record(conn, attempts, now=now, disable_after=5 * DAY)
    )


class Webhooks:
    async def test_an_endpoint_that_only_fails_is_disabled_and_enabled(self, bench: Bench) -> None:
        for _ in range(2):
            await due(bench, "a", "b", "a")
            recorded = await came_to(bench, NO, await taken(bench))
            assert recorded.answers == [True] * 3
            bench.clock.advance(5 * DAY / 1000)
        assert sorted(one.endpoint for one in recorded.disabled) == ["a", "b"]
        await due(bench, "a", "c")
        assert [(one.delivery.endpoint, one.held) for one in await taken(bench)] == [
            ("a", True),
            ("c", False),
        ]
        found, total = await bench.store.read(
            lambda conn: endpoints.page(conn, tenant_id="acme", limit=1, offset=1)
        )
        assert ([one.endpoint for one in found], total, found[0].failures) == (["b"], 2, 2)
        now = bench.clock.now()
        enabled = await bench.store.write(
            lambda conn: endpoints.enable(
                conn, tenant_id="acme", wanted=found[0].id, endpoint="?", now=now
            )
        )
        assert enabled == found[0].id
        owners = [("acme", "a"), ("acme", "b"), ("other", "a")]
        assert await bench.store.read(lambda conn: endpoints.disabled(conn, owners)) == {
            ("acme", "a")
        }

    async def test_many_that_record_at_once_lose_no_failure(self, bench: Bench) -> None:
        names = [f"host-{number}" for number in range(5)]
        hands = []
        for _ in range(8):
            await due(bench, *names)
            hands.append(await taken(bench))
        await asyncio.gather(
            *(
                came_to(bench, NO, parcels[::step])
                for parcels, step in zip(hands, [1, -1] * 4, strict=True)
            )
        )
        found, _ = await bench.store.read(
            lambda conn: endpoints.page(conn, tenant_id="acme", limit=10, offset=0)
        )
        assert [one.failures for one in found] == [8] * 5

    async def test_what_failed_is_put_back_the_oldest_first(self, bench: Bench) -> None:
        for name in ("a", "b", "c"):
            await due(bench, name)
            await came_to(bench, NO, await taken(bench))
            bench.clock.advance(1)
        now = bench.clock.now()
        count = await bench.store.write(
            lambda conn: sql.redeliver_failed(
                conn, tenant_id="acme", since=now - 2_000, until=now, now=now, limit=1
            )
        )
        assert count == 1
        assert [one.delivery.endpoint for one in await taken(bench)] == ["b"]

    async def test_secrets_rotate_by_turns(self, bench: Bench) -> None:
        now = bench.clock.now()
        for text in ("one", "two", "three"):
            await bench.store.write(
                lambda conn, text=text: webhook_secrets.rotate(  # type: ignore[misc]
                    conn, tenant_id="acme", secret=text, now=now, until=now + 1_000
                )
            )
        await due(bench, "a")
        await due(bench, "b", tenant_id="other")
        signed = {one.delivery.tenant_id: one.secrets for one in await taken(bench)}
        assert signed == {"acme": ("three", "two"), "other": ("own",)}
