from tests.support.whole_house import House, data, faults, refused
from tests.support.workshop import Workshop

from jobcast.domain.access import ALL_SCOPES, Scope


async def test_the_types_are_listed_with_their_defaults_and_schemas(house: House) -> None:
    answer = await house("GET", "/api/job-types")

    assert answer.json()["message"] == "Job types retrieved successfully"
    types = {entry["type"]: entry for entry in data(answer)}
    assert list(types) == sorted(types)
    assert types["gate"] == {
        "type": "gate",
        "queue": "gates",
        "maxAttempts": 3,
        "timeoutMs": 600_000,
        "maxRunning": None,
        "schema": None,
    }
    assert types["typed"]["schema"]["properties"]["name"]["type"] == "string"
    assert types["fail"]["maxAttempts"] == 1


async def test_queues_tell_how_many_wait_and_since_when(house: House, workshop: Workshop) -> None:
    await house.waiting(queue="later")
    await house.submit("gate")
    await workshop.entered().wait()

    answer = await house("GET", "/api/queues")

    assert answer.json()["message"] == "Queues retrieved successfully"
    queues = {queue["name"]: queue for queue in data(answer)}
    assert list(queues) == ["default", "gates", "later"]
    assert queues["gates"]["processing"] == 1
    assert queues["later"] == {
        "name": "later",
        "depth": 0,
        "scheduled": 1,
        "processing": 0,
        "oldest": None,
        "paused": False,
    }
    workshop.open()


async def test_queues_and_stats_hold_the_own_tenant_alone_but_all_for_a_service_key(
    house: House,
) -> None:
    await house.waiting(queue="mine")
    other, service = await house.new_key("other"), await house.new_key("ops", Scope.SERVICE)

    theirs = {queue["name"] for queue in data(await house("GET", "/api/queues", key=other))}
    every = {queue["name"] for queue in data(await house("GET", "/api/queues", key=service))}

    assert (theirs, every) == ({"default"}, {"default", "mine"})
    for key, submitted in ((house.key, 1), (other, 0), (service, 1)):
        assert data(await house("GET", "/api/stats", key=key))["submitted"] == submitted


async def test_stats_sum_what_happened(house: House) -> None:
    await house.done()
    await house.done("fail")
    waiting = await house.waiting()
    await house("DELETE", f"/api/jobs/{waiting['id']}")

    answer = await house("GET", "/api/stats", params={"minutes": "5"})

    assert answer.json()["message"] == "Stats retrieved successfully"
    stats = data(answer)
    assert [stats[name] for name in ("submitted", "done", "failed", "cancelled")] == [3, 1, 1, 1]
    assert sum(minute["submitted"] for minute in stats["minutes"]) == 3
    assert {minute["type"] for minute in stats["minutes"]} == {"work", "fail"}
    for bad in ("0", "1441", "x"):
        assert set(faults(await house("GET", "/api/stats", params={"minutes": bad}))) == {"minutes"}


async def test_workers_are_shown_to_admins(house: House) -> None:
    admin = await house.new_key("acme", *ALL_SCOPES)

    answer = await house("GET", "/api/workers", key=admin)

    assert answer.json()["message"] == "Workers retrieved successfully"
    [worker] = data(answer)
    assert set(worker) == {"id", "name", "startedAt", "expiresAt", "running"}
    assert refused(await house("GET", "/api/workers")) == (
        403,
        "This API key lacks the scope admin.",
    )


async def test_nobody_looks_without_credentials(house: House) -> None:
    for path in ("job-types", "queues", "workers", "stats"):
        answer = await house("GET", f"/api/{path}", headers={})
        assert refused(answer) == (401, "Access token required")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
