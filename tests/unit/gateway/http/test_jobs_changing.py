from datetime import UTC, datetime
from typing import Any

from tests.support.whole_house import House, data, faults, refused
from tests.support.workshop import Workshop

from jobcast.domain.access import Scope

NO_CREDENTIALS = (401, "Access token required")


# ── cancelling ────────────────────────────────────────────────────────────────────────────────


async def test_a_waiting_job_is_deleted_by_cancelling_it(house: House) -> None:
    job = await house.waiting()

    answer = await house("DELETE", f"/api/jobs/{job['id']}")

    assert answer.status_code == 200
    assert answer.json()["message"] == "Job cancelled successfully"
    assert set(data(answer)) == {"id", "status", "updatedAt"}
    assert (data(answer)["id"], data(answer)["status"]) == (job["id"], "CANCELLED")
    assert (await house.show(job["id"]))["updatedAt"] == data(answer)["updatedAt"]


async def test_only_what_waits_is_deleted(house: House, workshop: Workshop) -> None:
    running = await house.submit("gate")
    await workshop.entered().wait()
    done = await house.done()

    for job, status in ((running, "PROCESSING"), (done, "DONE")):
        assert refused(await house("DELETE", f"/api/jobs/{job['id']}")) == (
            400,
            f"Cannot cancel job with status {status}. Only PENDING jobs can be cancelled.",
        )
    workshop.open()
    assert (await house.ended(running["id"]))["status"] == "DONE"


async def test_a_running_job_is_cancelled_and_its_handler_stopped(
    house: House, workshop: Workshop
) -> None:
    job = await house.submit("gate")
    await workshop.entered().wait()

    answer = await house("POST", f"/api/jobs/{job['id']}/cancel")

    assert answer.status_code == 202
    assert data(answer)["id"] == job["id"]
    ended = await house.ended(job["id"])
    assert (ended["status"], ended["result"]) == ("CANCELLED", None)


async def test_a_waiting_job_is_cancelled_at_once(house: House) -> None:
    job = await house.waiting()

    answer = await house("POST", f"/api/jobs/{job['id']}/cancel")

    assert (answer.status_code, data(answer)["status"]) == (202, "CANCELLED")


async def test_what_has_ended_is_not_cancelled(house: House) -> None:
    job = await house.done()

    status, sentence = refused(await house("POST", f"/api/jobs/{job['id']}/cancel"))

    assert status == 400
    assert "DONE" in sentence
    assert (await house.show(job["id"]))["seq"] == 3


# ── retrying ──────────────────────────────────────────────────────────────────────────────────


async def test_a_failed_job_is_run_again_with_another_payload(house: House) -> None:
    job = await house.done("fail")
    assert (job["status"], job["error"], job["seq"]) == ("FAILED", "it broke", 3)

    answer = await house(
        "POST", f"/api/jobs/{job['id']}/retry", {"payload": {"fail": False, "n": 1}}
    )

    assert answer.status_code == 202
    assert (data(answer)["status"], data(answer)["attempts"]) == ("PENDING", 0)
    ended = await house.ended(job["id"])
    assert (ended["status"], ended["error"], ended["seq"]) == ("DONE", None, 6)
    assert ended["payload"] == {"fail": False, "n": 1}


async def test_a_cancelled_job_is_run_again_with_its_own_payload(house: House) -> None:
    job = await house.waiting(payload={"result": 7})
    await house("DELETE", f"/api/jobs/{job['id']}")

    assert (await house("POST", f"/api/jobs/{job['id']}/retry")).status_code == 202

    assert (await house.ended(job["id"]))["result"] == 7


async def test_only_what_failed_or_was_cancelled_is_retried(house: House) -> None:
    for job in (await house.waiting(), await house.done()):
        status, sentence = refused(await house("POST", f"/api/jobs/{job['id']}/retry"))

        assert status == 400
        assert job["status"] in sentence


async def test_a_retry_is_a_conflict_while_its_unique_key_is_live(house: House) -> None:
    job = await house.waiting(uniqueKey="u")
    await house("DELETE", f"/api/jobs/{job['id']}")
    await house.waiting(uniqueKey="u")

    answer = await house("POST", f"/api/jobs/{job['id']}/retry")

    assert answer.status_code == 409
    assert (await house.show(job["id"]))["status"] == "CANCELLED"


async def test_the_payload_of_a_retry_is_checked_like_any(house: House) -> None:
    job = await house.waiting(type="typed", payload={"name": "a"})
    await house("DELETE", f"/api/jobs/{job['id']}")

    path = f"/api/jobs/{job['id']}/retry"
    assert faults(await house("POST", path, {"payload": None})) == {
        "payload": ["Expected an object"]
    }
    assert set(faults(await house("POST", path, {"payload": {"name": 1}}))) == {"payload.name"}
    assert faults(await house("POST", path, {"more": 1})) == {"more": ["Unknown field"]}
    large = {"payload": {"name": "x" * 262_144}}
    assert refused(await house("POST", path, large))[0] == 413
    status, sentence = refused(await house("POST", path, b'{"payload":{"name":"\xff"}}'))
    assert (status, sentence.startswith("Invalid JSON")) == (400, True)
    assert (await house.show(job["id"]))["status"] == "CANCELLED"


# ── watch tokens ──────────────────────────────────────────────────────────────────────────────


async def test_a_watch_token_lasts_15_minutes_unless_asked(house: House) -> None:
    job = await house.waiting()
    path, now = f"/api/jobs/{job['id']}/tokens", datetime.now(UTC)

    usual = await house("POST", path)
    longer = await house("POST", path, {"expiresIn": 86_400})

    assert usual.status_code == 201
    for answer, seconds in ((usual, 900), (longer, 86_400)):
        left = datetime.fromisoformat(data(answer)["expiresAt"]) - now
        assert seconds - 2 < left.total_seconds() < seconds + 20
    for bad in (0, 86_401, "x"):
        assert set(faults(await house("POST", path, {"expiresIn": bad}))) == {"expiresIn"}


async def test_a_watch_token_reads_its_job_but_not_the_payload_and_nothing_else(
    house: House,
) -> None:
    job = await house.done("save", {"files": {"a.txt": "text"}})
    other = await house.done()
    token = await house.watch_token(job["id"])
    bearer, address = {"Authorization": f"Bearer {token}"}, {"token": token}

    ways: list[dict[str, Any]] = [{"headers": bearer}, {"headers": {}, "params": address}]
    for by in ways:
        shown = await house.show(job["id"], **by)
        assert shown["result"].endswith(f"/api/jobs/{job['id']}/files/last")
        assert "payload" not in shown
        for part in ("events", "output", "files", "files/a.txt", "logs"):
            answer = await house("GET", f"/api/jobs/{job['id']}/{part}", **by)
            assert answer.status_code == 200, part
            assert b"a.txt" not in answer.content or part == "files"
        for part in ("", "/events", "/output", "/files", "/files/last", "/logs"):
            answer = await house("GET", f"/api/jobs/{other['id']}{part}", **by)
            assert refused(answer) == (404, "Job not found")

    for method, path in (
        ("GET", "/api/jobs"),
        ("POST", "/api/jobs"),
        ("POST", "/api/jobs/batch"),
        ("DELETE", f"/api/jobs/{job['id']}"),
        ("POST", f"/api/jobs/{job['id']}/cancel"),
        ("POST", f"/api/jobs/{job['id']}/retry"),
        ("POST", f"/api/jobs/{job['id']}/tokens"),
        ("GET", f"/api/jobs/{job['id']}/webhook-logs"),
        ("GET", "/api/job-types"),
        ("GET", "/api/queues"),
        ("GET", "/api/workers"),
        ("GET", "/api/stats"),
        ("GET", "/api/auth/me"),
        ("GET", "/api/api-keys"),
        ("POST", "/api/ws-tickets"),
    ):
        answer = await house(method, path, headers=bearer)
        assert refused(answer) == NO_CREDENTIALS, (method, path)


async def test_an_access_token_does_not_belong_in_the_address(house: House) -> None:
    person = await house.person()
    job = await house.waiting()

    answer = await house(
        "GET",
        f"/api/jobs/{job['id']}",
        headers={},
        params={"token": person.tokens.access_token},
    )

    assert refused(answer) == (401, "Only a watch token may stand in the address")


async def test_a_key_that_only_reads_changes_nothing(house: House) -> None:
    job = await house.waiting()
    reader = await house.new_key("acme", Scope.READ)

    for method, path in (("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry")):
        answer = await house(method, f"/api/jobs/{job['id']}{path}", key=reader)
        assert refused(answer) == (403, "This API key lacks the scope jobs:write.")
    assert (await house.show(job["id"], key=reader))["status"] == "PENDING"
