"""What callers may do with schedules, and what code declares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.house import ACME, House

from jobcast.app import App
from jobcast.domain.access import Kind, Principal, Scope
from jobcast.domain.cron import next_tick
from jobcast.domain.errors import (
    Conflict,
    Forbidden,
    InvalidOperation,
    InvalidRequest,
    NotFound,
    TooLarge,
    Unauthorized,
    UnknownJobType,
)
from jobcast.domain.schedule import Declaration, Plan
from jobcast.services import schedules as module
from jobcast.services.schedule_input import NewSchedule, ScheduleChange
from jobcast.services.schedules import Schedules
from jobcast.store.base import TypeInfo
from jobcast.store.schedules import Schedule

GLOBEX = Principal(kind=Kind.USER, tenant_id="globex")
SERVICE = Principal(kind=Kind.SERVICE, tenant_id="ops")
READER = Principal(kind=Kind.KEY, tenant_id="acme", scopes=frozenset({Scope.READ}))
WATCH = Principal(kind=Kind.WATCH, tenant_id="acme", job_id="j")
SCHEMA = '{"type":"object","properties":{"month":{"type":"integer"}},"required":["month"]}'


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = await House(tmp_path, App(), max_payload_bytes=100).open()
    yield made
    await made.__aexit__()


@pytest.fixture
def schedules(house: House) -> Schedules:
    return Schedules(house.store, house.types, house.settings, house.clock)


def body(**given: Any) -> NewSchedule:
    if "payload" in given:
        given["payload"] = msgspec.Raw(given["payload"].encode())
    return NewSchedule(**{"name": "nightly", "cron": "0 3 * * *", "type": "report", **given})


async def every(schedules: Schedules, by: Principal = SERVICE) -> list[Schedule]:
    return list((await schedules.page(by, tenant_id=None, limit=100, offset=0))[0])


async def register(house: House, *kinds: str) -> None:
    await house.store.open_session("s", name="s")
    types = [TypeInfo(kind, "default", 3, 60_000, None, SCHEMA) for kind in kinds]
    await house.store.register_types("s", types)
    house.types.forget()


class TestMaking:
    async def test_sets_the_next_tick(self, house: House, schedules: Schedules) -> None:
        made = await schedules.create(ACME, body(timezone="Europe/Berlin", payload='{"a":1}'))
        assert (made.tenant_id, made.enabled, made.payload) == ("acme", True, '{"a":1}')
        assert made.next_run_at == next_tick("0 3 * * *", "Europe/Berlin", after=house.clock.now())
        assert await schedules.get(ACME, made.id) == made

    async def test_disabled_has_none(self, schedules: Schedules) -> None:
        assert (await schedules.create(ACME, body(enabled=False))).next_run_at is None

    async def test_a_name_that_is_taken_is_a_conflict(self, schedules: Schedules) -> None:
        await schedules.create(ACME, body())
        with pytest.raises(Conflict, match="A schedule named nightly exists already"):
            await schedules.create(ACME, body())
        await schedules.create(GLOBEX, body())

    async def test_checks_every_field(self, schedules: Schedules) -> None:
        bad = body(name="a b", cron="0 0 30 2 *", timezone="Mars", type="", queue="")
        with pytest.raises(InvalidRequest) as caught:
            await schedules.create(ACME, bad)
        assert set(caught.value.fields or {}) == {"name", "cron", "timezone", "type", "queue"}

    async def test_checks_the_payload_as_a_submission_does(
        self, house: House, schedules: Schedules
    ) -> None:
        await register(house, "report")
        with pytest.raises(InvalidRequest) as caught:
            await schedules.create(ACME, body(payload='{"month":"May"}'))
        assert set(caught.value.fields or {}) == {"payload.month"}
        with pytest.raises(UnknownJobType):
            await schedules.create(ACME, body(type="other"))
        with pytest.raises(TooLarge):
            await schedules.create(ACME, body(payload=f'{{"month":{"1" * 100}}}'))
        await schedules.create(ACME, body(payload='{"month":5}'))

    async def test_for_another_tenant_is_for_service_keys(self, schedules: Schedules) -> None:
        made = await schedules.create(SERVICE, body(tenant_id="acme"))
        assert made.tenant_id == "acme"
        with pytest.raises(Forbidden):
            await schedules.create(GLOBEX, body(tenant_id="acme"))
        with pytest.raises(InvalidRequest):
            await schedules.create(SERVICE, body(tenant_id="no tenant"))

    async def test_has_a_limit(self, schedules: Schedules, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MAX_SCHEDULES", 1)
        await schedules.create(ACME, body())
        with pytest.raises(InvalidOperation, match="at most 1 schedules"):
            await schedules.create(ACME, body(name="other"))

    async def test_needs_the_scope(self, schedules: Schedules) -> None:
        with pytest.raises(Forbidden):
            await schedules.create(READER, body())
        with pytest.raises(Unauthorized):
            await schedules.create(WATCH, body())


class TestSight:
    async def test_is_the_own_tenant_and_all_for_a_service_key(self, schedules: Schedules) -> None:
        mine = await schedules.create(ACME, body())
        theirs = await schedules.create(GLOBEX, body())
        assert await every(schedules, READER) == [mine]
        assert await every(schedules) == [mine, theirs]
        found, total = await schedules.page(SERVICE, tenant_id="globex", limit=1, offset=0)
        assert (found, total) == ([theirs], 1)
        with pytest.raises(Forbidden):
            await schedules.page(ACME, tenant_id="globex", limit=1, offset=0)

    async def test_of_anothers_is_as_of_none(self, schedules: Schedules) -> None:
        made = await schedules.create(ACME, body())
        for schedule_id in (made.id, "unknown", "\0", ""):
            for use in (
                schedules.get(GLOBEX, schedule_id),
                schedules.change(GLOBEX, schedule_id, ScheduleChange(enabled=False)),
                schedules.remove(GLOBEX, schedule_id),
            ):
                with pytest.raises(NotFound, match="Schedule not found"):
                    await use
        assert await every(schedules) == [made]


class TestChanging:
    async def test_what_is_left_out_stays(self, house: House, schedules: Schedules) -> None:
        made = await schedules.create(ACME, body(queue="media", payload='{"a":1}'))
        house.fake.advance(60)
        after = await schedules.change(ACME, made.id, ScheduleChange(priority=5))
        assert (after.priority, after.queue, after.payload) == (5, "media", '{"a":1}')
        assert (after.next_run_at, after.updated_at) == (made.next_run_at, house.clock.now())
        after = await schedules.change(ACME, made.id, ScheduleChange(queue=None))
        assert after.queue is None
        assert await schedules.change(ACME, made.id, ScheduleChange(priority=5)) == after

    async def test_of_the_cron_moves_the_next_tick(
        self, house: House, schedules: Schedules
    ) -> None:
        made = await schedules.create(ACME, body())
        house.fake.advance(60)
        after = await schedules.change(ACME, made.id, ScheduleChange(cron="* * * * *"))
        assert after.next_run_at == next_tick("* * * * *", "UTC", after=house.clock.now())
        with pytest.raises(InvalidRequest) as caught:
            await schedules.change(ACME, made.id, ScheduleChange(cron="no"))
        assert set(caught.value.fields or {}) == {"cron"}

    async def test_one_that_was_disabled_goes_on_in_the_future(
        self, house: House, schedules: Schedules
    ) -> None:
        made = await schedules.create(ACME, body())
        off = await schedules.change(ACME, made.id, ScheduleChange(enabled=False))
        assert (off.enabled, off.next_run_at) == (False, None)
        house.fake.advance(10 * 24 * 3600)
        on = await schedules.change(ACME, made.id, ScheduleChange(enabled=True))
        assert on.next_run_at is not None
        assert on.next_run_at > house.clock.now()

    async def test_checks_the_payload_with_the_type(
        self, house: House, schedules: Schedules
    ) -> None:
        made = await schedules.create(ACME, body())
        await register(house, "strict")
        with pytest.raises(InvalidRequest) as caught:
            await schedules.change(ACME, made.id, ScheduleChange(type="strict"))
        assert set(caught.value.fields or {}) == {"payload.month"}


class TestDeclaring:
    PLAN = Plan(name="nightly", cron="0 3 * * *", type="report")

    async def test_stands_for_the_tenant_that_an_app_submits_for(
        self, schedules: Schedules
    ) -> None:
        other = msgspec.structs.replace(self.PLAN, name="other")
        await schedules.declare([Declaration(self.PLAN, None), Declaration(other, "acme")], by="a")
        found = [(each.tenant_id, each.name, each.declared_by) for each in await every(schedules)]
        assert found == [("acme", "other", "a"), ("local", "nightly", "a")]

    async def test_can_be_disabled_and_deleted_but_not_changed(self, schedules: Schedules) -> None:
        await schedules.declare([Declaration(self.PLAN, "acme")], by="jobs")
        [made] = await every(schedules)
        with pytest.raises(InvalidOperation, match="declared in the code of jobs: change it there"):
            await schedules.change(ACME, made.id, ScheduleChange(priority=1))
        off = await schedules.change(ACME, made.id, ScheduleChange(enabled=False, priority=0))
        assert not off.enabled
        await schedules.declare([Declaration(self.PLAN, "acme")], by="jobs")
        assert await every(schedules) == [off]
        await schedules.remove(ACME, made.id)
        assert await every(schedules) == []
