"""Two tenants with everything that a tenant can have, and a third that nobody knows."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from tests.support.whole_house import WITHIN, House, Person, data

from jobcast import App, Context, Fail
from jobcast.domain.access import ALL_SCOPES
from jobcast.runtime.ids import new_id
from jobcast.services.key_text import new_key
from jobcast.store import accounts as sql

SECRET = "a-secret-of"
"""Stands in whatever B has, so that it would be seen in any answer it leaks into."""


def app() -> App:
    """Jobs that leave something behind in every place."""
    made = App()

    @made.job("work")
    async def work(ctx: Context, payload: dict[str, Any]) -> Any:
        await ctx.log(f"log {payload.get('note')}")
        await ctx.progress(50, "half")
        await ctx.output({"piece": payload.get("note")})
        await ctx.save("report.txt", b"bytes", "text/plain")
        return payload

    @made.job("fail", max_attempts=1)
    async def fail(ctx: Context, payload: dict[str, Any]) -> None:
        raise Fail("it broke")

    return made


@dataclass(frozen=True)
class Things:
    """What a tenant has, by the words that stand before ids in paths; unknown ones look alike."""

    tenant: str
    user: str
    member: str
    jobs: tuple[str, ...]
    delivery: str
    key: str
    session: str
    schedule: str
    invite: str
    name: str
    """What it calls its queue, channel, tag and the like: not an id, but its own affair."""

    def of(self, segment: str) -> tuple[str, ...]:
        """What may stand in a path behind this segment; KeyError for one that nobody knows."""
        return {
            "jobs": self.jobs,
            "files": ("report.txt",),
            "webhook-logs": (self.delivery,),
            "api-keys": (self.key,),
            "sessions": (self.session,),
            "schedules": (self.schedule,),
            "tenants": (self.tenant,),
            "members": (self.member,),
            "invites": (self.invite,),
            "queues": (self.name,),
            "channels": (self.name,),
            "endpoints": (f"{self.name}.example",),
        }[segment]

    def words(self) -> tuple[str, ...]:
        """Everything that tells this tenant from another, in one order."""
        return (
            *self.jobs,
            self.tenant,
            self.user,
            self.member,
            self.delivery,
            self.key,
            self.session,
            self.schedule,
            self.invite,
            self.name,
        )


@dataclass(frozen=True)
class Side:
    """A tenant, and everyone who can act for it."""

    things: Things
    owner: Person
    credentials: Mapping[str, dict[str, str]]
    """Headers by who comes with them."""


def unknown() -> Things:
    """Ids of the right form that nobody has."""
    return Things(
        tenant=new_id(),
        user=new_id(),
        member=new_id(),
        jobs=(new_id(), new_id(), new_id()),
        delivery=new_id(),
        key=new_key("test")[0],
        session=new_id(),
        schedule=new_id(),
        invite=new_id(),
        name=f"name-{secrets.token_hex(8)}",
    )


async def settle(house: House) -> Side:
    """A tenant that has one of everything."""
    tenant, name = new_id(), f"name-{secrets.token_hex(8)}"
    owner = await house.person(tenant)
    member = await _member(house, tenant)
    plain, admin = await house.new_key(tenant), await house.new_key(tenant, *ALL_SCOPES)
    by: dict[str, Any] = {"headers": owner.bearer}
    done = await house.submit(
        "work", {"note": f"{SECRET} {name}"}, webhookUrl="http://127.0.0.1:9/", tags=[name], **by
    )
    await _ended(house, done["id"], owner)
    failed = await house.submit("fail", {"note": f"{SECRET} {name}"}, **by)
    await _ended(house, failed["id"], owner)
    waiting = await house.submit(
        "work", {}, delayMs=3_600_000, queue=name, channel=name, uniqueKey="same", tags=[name], **by
    )
    schedule = await _made(
        house, "/api/schedules", {"name": "nightly", "cron": "0 3 1 1 *", "type": "work"}, owner
    )
    invite = await _made(house, f"/api/tenants/{tenant}/invites", {}, owner)
    watch = await _made(house, f"/api/jobs/{waiting['id']}/tokens", None, owner)
    me = data(await house("GET", "/api/auth/sessions", **by))
    return Side(
        Things(
            tenant=tenant,
            user=owner.id,
            member=member.id,
            jobs=(done["id"], failed["id"], waiting["id"]),
            delivery=await _delivery(house, done["id"], owner),
            key=plain.id,
            session=me[0]["id"],
            schedule=schedule["id"],
            invite=invite["id"],
            name=name,
        ),
        owner,
        {
            "owner": owner.bearer,
            "member": member.bearer,
            "key": plain.headers,
            "admin key": admin.headers,
            "watch token": {"Authorization": f"Bearer {watch['watchToken']}"},
        },
    )


async def work_on(house: House, side: Side, *, name: str = "shared") -> None:
    """The tenant goes on working; it takes names and keys that another may use too."""
    by = {"headers": side.owner.bearer}
    for _ in range(3):
        job = await house.submit("work", {"note": SECRET}, tags=[name], queue=name, **by)
        await _ended(house, job["id"], side.owner)
    await house.submit("work", {}, uniqueKey=name, delayMs=3_600_000, channel=name, **by)
    await house.submit("work", {}, headers={**side.owner.bearer, "Idempotency-Key": name})
    await _made(
        house, "/api/schedules", {"name": name, "cron": "0 3 1 1 *", "type": "work"}, side.owner
    )
    await _made(house, f"/api/tenants/{side.things.tenant}/invites", {}, side.owner)
    await _made(house, "/api/api-keys", {"name": name}, side.owner)
    await _member(house, side.things.tenant)


async def _member(house: House, tenant: str) -> Person:
    """A user of the tenant who owns nothing."""
    user_id, now = new_id(), house.gateway.clock.now()
    await house.store.write(
        lambda conn: sql.add_user(
            conn,
            user_id=user_id,
            tenant_id=tenant,
            email=f"{user_id}@example.com",
            name="Bob",
            password="none",
            owner=False,
            now=now,
        )
    )
    tokens = await house.gateway.accounts.logins.open(user_id, user_agent=None, address=None)
    return Person(user_id, tenant, tokens)


async def _ended(house: House, job_id: str, owner: Person) -> None:
    answer = await house("GET", f"/api/jobs/{job_id}?wait=60", headers=owner.bearer)
    assert data(answer)["finishedAt"] is not None


async def _made(house: House, path: str, body: Any, owner: Person) -> Any:
    answer: httpx2.Response = await house("POST", path, body, headers=owner.bearer)
    assert answer.status_code == 201, answer.text
    return data(answer)


async def _delivery(house: House, job_id: str, owner: Person) -> str:
    rows: list[Any] = []
    async with asyncio.timeout(WITHIN):
        while not rows:
            rows = data(
                await house("GET", f"/api/jobs/{job_id}/webhook-logs", headers=owner.bearer)
            )
    delivery: str = rows[0]["deliveryId"]
    return delivery
