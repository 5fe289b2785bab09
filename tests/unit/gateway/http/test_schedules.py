"""`/api/schedules`, and pausing queues."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.whole_house import Document, House, data, faults, refused, settings
from tests.support.workshop import Workshop

from jobcast.compose import running
from jobcast.domain.access import ALL_SCOPES, Scope
from jobcast.domain.times import parse_iso
from jobcast.gateway.http.app import build_app
from jobcast.runtime.clock import FakeClock
from jobcast.services.queues import Queues
from jobcast.services.scheduler import Scheduler
from jobcast.services.schedules import Schedules

PATH = "/api/schedules"
NIGHTLY: Document = {"name": "nightly", "cron": "0 3 * * *", "type": "work"}


@pytest.fixture
async def house(workshop: Workshop, tmp_path: Path) -> AsyncIterator[House]:
    given = settings(tmp_path)
    async with running(workshop.app, given) as home:
        was = home.gateway
        store = was.hub._store
        gateway = replace(
            was,
            queues=Queues(store, was.jobs._announcer._bus),
            schedules=Schedules(store, was.types, given, was.clock),
        )
        home.http = build_app(gateway)
        made = House(home, given)
        made.key = await made.new_key()
        yield made
        await made.close()


async def make(house: House, **fields: Any) -> Document:
    answer = await house("POST", PATH, NIGHTLY | fields)
    assert answer.status_code == 201, answer.text
    made: Document = data(answer)
    return made


async def test_a_schedule_is_made_shown_changed_and_deleted(house: House) -> None:
    answer = await house("POST", PATH, NIGHTLY | {"payload": {"big": 1}, "timezone": "Asia/Tokyo"})

    assert answer.status_code == 201
    assert answer.json()["message"] == "Schedule created successfully"
    made = data(answer)
    one = f"{PATH}/{made['id']}"
    assert answer.headers["Location"] == one
    assert made == {
        "id": made["id"],
        "tenantId": "acme",
        "name": "nightly",
        "cron": "0 3 * * *",
        "timezone": "Asia/Tokyo",
        "type": "work",
        "payload": {"big": 1},
        "queue": None,
        "priority": 0,
        "enabled": True,
        "declared": False,
        "nextRunAt": made["nextRunAt"],
        "lastRunAt": None,
        "lastJobId": None,
        "error": None,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
    }
    assert made["nextRunAt"].endswith("T18:00:00.000Z")

    answer = await house("GET", one)
    assert answer.json()["message"] == "Schedule retrieved successfully"
    assert data(answer) == made

    answer = await house("PATCH", one, {"enabled": False, "queue": "night"})
    assert answer.json()["message"] == "Schedule updated successfully"
    changed = data(answer)
    assert (changed["enabled"], changed["nextRunAt"], changed["queue"]) == (False, None, "night")

    answer = await house("DELETE", one)
    assert answer.json() == {
        "success": True,
        "message": "Schedule deleted successfully",
        "data": None,
    }
    assert refused(await house("GET", one)) == (404, "Schedule not found")


async def test_they_are_listed_by_name_in_pages(house: House) -> None:
    for name in ("c", "a", "b"):
        await make(house, name=name)

    answer = await house("GET", PATH, params={"limit": "2"})

    assert answer.json()["message"] == "Schedules retrieved successfully"
    assert [schedule["name"] for schedule in data(answer)] == ["a", "b"]
    assert answer.json()["meta"]["total"] == 3
    assert answer.json()["meta"]["hasNextPage"] is True


async def test_each_bad_field_is_named(house: House) -> None:
    bad = {"name": "a b", "cron": "61 * * * *", "type": "work", "timezone": "Mars"}
    found = faults(await house("POST", PATH, bad))
    assert found["cron"] == ["Bad minute: write it like '0 3 * * *' (every day at 03:00)"]
    assert found["timezone"] == ["Unknown time zone: use a name such as UTC or Europe/Berlin"]
    assert set(found) == {"name", "cron", "timezone"}
    assert set(faults(await house("POST", PATH, {}))) == {"name", "cron", "type"}
    for fields, named in (
        ({"payload": []}, "payload"),
        ({"priority": 101}, "priority"),
        ({"enabled": 1}, "enabled"),
        ({"queue": "no queue"}, "queue"),
        ({"unknown": 1}, "unknown"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"type": "typed", "payload": {"name": 1}}, "payload.name"),
    ):
        assert set(faults(await house("POST", PATH, NIGHTLY | fields))) == {named}
    made = await make(house)
    for change in ({"cron": "x"}, {"timezone": "x"}, {"name": "other"}, {"type": None}):
        answer = await house("PATCH", f"{PATH}/{made['id']}", change)
        assert set(faults(answer)) == set(change)


async def test_what_cannot_be_is_refused_with_a_sentence(house: House) -> None:
    answer = await house("POST", PATH, NIGHTLY | {"type": "nobody"})
    assert refused(answer) == (400, "Unknown job type: nobody")
    await make(house)
    assert refused(await house("POST", PATH, NIGHTLY)) == (
        409,
        "A schedule named nightly exists already.",
    )


async def test_others_see_none_of_it(house: House) -> None:
    made = await make(house)
    other, service = await house.new_key("other"), await house.new_key("ops", Scope.SERVICE)
    one = f"{PATH}/{made['id']}"
    for method, body in (("GET", None), ("PATCH", {"enabled": False}), ("DELETE", None)):
        answer = await house(method, one, body, key=other)
        assert refused(answer) == (404, "Schedule not found")
        assert refused(await house(method, f"{PATH}/%00", body)) == (404, "Schedule not found")
    assert data(await house("GET", PATH, key=other)) == []
    assert data(await house("GET", PATH, key=service)) == [made]
    assert data(await house("GET", PATH, key=service, params={"tenantId": "other"})) == []
    assert (await house("GET", PATH, params={"tenantId": "other"})).status_code == 403


async def test_reading_and_writing_have_their_scopes(house: House) -> None:
    made = await make(house)
    reader = await house.new_key("acme", Scope.READ)
    writer = await house.new_key("acme", Scope.WRITE)
    one = f"{PATH}/{made['id']}"
    assert (await house("GET", one, key=reader)).status_code == 200
    assert (await house("GET", one, key=writer)).status_code == 403
    assert (await house("POST", PATH, NIGHTLY, key=reader)).status_code == 403
    assert (await house("DELETE", one, key=reader)).status_code == 403
    assert (await house("PATCH", one, {"enabled": False}, key=writer)).status_code == 200
    assert refused(await house("GET", PATH, headers={})) == (401, "Access token required")


async def test_a_tick_runs_its_job(house: House) -> None:
    made = await make(house, cron="* * * * *", payload={"result": 42})
    later = FakeClock(parse_iso(made["nextRunAt"]))
    scheduler = Scheduler(house.store, house.gateway.jobs, later)

    await scheduler.tick()

    after = data(await house("GET", f"{PATH}/{made['id']}"))
    assert after["lastRunAt"] == made["nextRunAt"]
    job = await house.ended(after["lastJobId"])
    assert (job["status"], job["result"]) == ("DONE", 42)


async def test_a_paused_queue_stands_still_until_it_is_resumed(house: House) -> None:
    service = await house.new_key("ops", Scope.SERVICE)
    answer = await house("POST", "/api/queues/media/pause", key=service)
    assert answer.json()["message"] == "Queue paused successfully"
    assert data(answer) == {"name": "media", "paused": True}
    waits = await house.submit(queue="media")
    await house.done()
    queues = {queue["name"]: queue for queue in data(await house("GET", "/api/queues"))}
    assert (queues["media"]["paused"], queues["media"]["depth"]) == (True, 1)
    answer = await house("POST", "/api/queues/media/resume", key=service)
    assert answer.json()["message"] == "Queue resumed successfully"
    assert data(answer) == {"name": "media", "paused": False}
    assert (await house.ended(waits["id"]))["status"] == "DONE"


async def test_queues_are_paused_by_service_keys_alone(house: House) -> None:
    admin, service = (
        await house.new_key("acme", *ALL_SCOPES),
        await house.new_key("ops", Scope.SERVICE),
    )
    sentence = "Queues are shared by all tenants: only a service key may pause or resume one."
    for verb in ("pause", "resume"):
        path = f"/api/queues/default/{verb}"
        assert refused(await house("POST", path, key=admin)) == (403, sentence)
        person = await house.person()
        assert refused(await house("POST", path, headers=person.bearer)) == (403, sentence)
        assert refused(await house("POST", path, headers={})) == (401, "Access token required")
        bad = await house("POST", f"/api/queues/no%20queue/{verb}", key=service)
        assert set(faults(bad)) == {"name"}


async def test_openapi_describes_them(house: House) -> None:
    document = (await house("GET", "/openapi.json")).json()
    assert set(document["paths"][PATH]) == {"get", "post"}
    assert set(document["paths"][f"{PATH}/{{id}}"]) == {"get", "patch", "delete"}
    assert set(document["paths"]["/api/queues/{name}/pause"]) == {"post"}
    assert {"NewSchedule", "ScheduleChange", "ScheduleShape"} <= set(
        document["components"]["schemas"]
    )
