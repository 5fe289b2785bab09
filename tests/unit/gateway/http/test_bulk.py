"""One action on all jobs that match: what it touches, what it leaves, and how it tells."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.whole_house import House, data, faults, house_of, refused
from tests.support.workshop import Workshop

from jobcast.domain.access import Scope
from jobcast.services import bulk as service


async def bulk(house: House, action: str, wanted: dict[str, Any], **by: Any) -> dict[str, Any]:
    """Asks for it, and waits for its end."""
    answer = await house("POST", "/api/jobs/bulk", {"action": action, "filter": wanted}, **by)
    assert answer.status_code == 202, answer.text
    assert answer.json()["message"] == f"Bulk {action} scheduled"
    job: dict[str, Any] = data(answer)
    assert answer.headers["location"] == f"/api/jobs/{job['id']}"
    assert (job["type"], job["status"]) == (f"jobcast/bulk/{action}", "PENDING")
    ended = await house.show(job["id"], params={"wait": 60}, **by)
    assert ended["finishedAt"] is not None
    return ended


async def status(house: House, job: dict[str, Any]) -> str:
    answer = await house("GET", f"/api/jobs/{job['id']}")
    return data(answer)["status"] if answer.status_code == 200 else str(answer.status_code)


async def test_all_that_match_are_cancelled_and_nothing_else(
    house: House, workshop: Workshop
) -> None:
    mine = [await house.waiting(tags=["old"]) for _ in range(3)]
    other = await house.waiting(tags=["new"])
    running = await house.submit("gate", tags=["old"])
    await workshop.entered().wait()

    ended = await bulk(house, "cancel", {"tag": "old"})

    assert ended["status"] == "DONE"
    assert ended["result"] == {"matched": 4, "changed": 4, "skipped": 0}
    assert ended["progress"] == {"percent": 100, "note": "4 of 4 jobs"}
    assert [await status(house, job) for job in mine] == ["CANCELLED"] * 3
    assert (await house.ended(running["id"]))["status"] == "CANCELLED"
    assert await status(house, other) == "PENDING"


async def test_what_failed_or_was_cancelled_runs_again(house: House) -> None:
    failed = await house.done("fail")
    done = await house.done()

    ended = await bulk(house, "retry", {})

    assert ended["result"] == {"matched": 1, "changed": 1, "skipped": 0}
    assert (await house.show(failed["id"]))["seq"] > failed["seq"]
    assert (await house.show(done["id"]))["seq"] == done["seq"]


async def test_what_cannot_run_again_is_left_out_and_named(house: House) -> None:
    old = await house.waiting(uniqueKey="one")
    await house("DELETE", f"/api/jobs/{old['id']}")
    await house.waiting(uniqueKey="one")

    ended = await bulk(house, "retry", {"status": "CANCELLED"})

    assert ended["result"] == {"matched": 1, "changed": 0, "skipped": 1}
    lines = data(await house("GET", f"/api/jobs/{ended['id']}/logs"))
    said = f"{old['id']}: Another job with this uniqueKey is waiting or running."
    assert said in [line["message"] for line in lines]


async def test_only_what_has_ended_is_deleted_and_it_is_gone_at_once(house: House) -> None:
    done, waits = await house.done(), await house.waiting()
    assert await status(house, done) == "DONE"  # it is remembered now

    ended = await bulk(house, "delete", {})

    assert ended["result"] == {"matched": 1, "changed": 1, "skipped": 0}
    assert refused(await house("GET", f"/api/jobs/{done['id']}")) == (404, "Job not found")
    assert refused(await house("GET", f"/api/jobs/{done['id']}/logs")) == (404, "Job not found")
    assert await status(house, waits) == "PENDING"


async def test_more_jobs_than_one_step_takes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "STEP", 3)
    jobs = [await house.waiting() for _ in range(7)]

    ended = await bulk(house, "cancel", {"status": "PENDING"})

    assert ended["result"] == {"matched": 7, "changed": 7, "skipped": 0}
    assert {await status(house, job) for job in jobs} == {"CANCELLED"}


async def test_another_tenants_jobs_are_out_of_reach(house: House) -> None:
    other = await house.new_key("globex")
    theirs = await house.waiting(key=other)

    ended = await bulk(house, "cancel", {"q": theirs["id"]})
    named = await house(
        "POST", "/api/jobs/bulk", {"action": "cancel", "filter": {"tenantId": "globex"}}
    )

    assert ended["result"] == {"matched": 0, "changed": 0, "skipped": 0}
    assert refused(named) == (403, "Only service keys may act for another tenant.")
    assert (await house.show(theirs["id"], key=other))["status"] == "PENDING"


async def test_a_service_key_acts_in_the_tenant_that_it_names_and_no_other(house: House) -> None:
    service_key = await house.new_key("house", Scope.SERVICE)
    other = await house.new_key("globex")
    theirs, ours = await house.waiting(key=other), await house.waiting()

    ended = await bulk(house, "cancel", {"tenantId": "globex"}, key=service_key)

    assert ended["tenantId"] == "globex"
    assert (await house.show(theirs["id"], key=other))["status"] == "CANCELLED"
    assert await status(house, ours) == "PENDING"


@pytest.mark.parametrize("tenant", ["x y", "\0", "", "a\n", "é", "a" * 101])
async def test_what_can_name_no_tenant_is_refused(house: House, tenant: str) -> None:
    service_key = await house.new_key("house", Scope.SERVICE)
    body = {"action": "cancel", "filter": {"tenantId": tenant}}
    answer = await house("POST", "/api/jobs/bulk", body, key=service_key)
    assert faults(answer) == {"filter.tenantId": ["Use 1 to 100 of A-Z a-z 0-9 . _ : -"]}


async def test_what_makes_no_sense_is_refused_with_a_sentence(house: House) -> None:
    async def ask(body: Any) -> Any:
        return faults(await house("POST", "/api/jobs/bulk", body))

    assert await ask({"action": "cancel", "filter": {"status": "DONE"}}) == {
        "filter.status": ["Must be one of PENDING, PROCESSING for cancel"]
    }
    assert await ask({"action": "delete", "filter": {"status": "PENDING"}}) == {
        "filter.status": ["Must be one of DONE, FAILED, CANCELLED for delete"]
    }
    assert set(await ask({"action": "burn"})) == {"action", "filter"}
    assert await ask({"action": "retry", "filter": {"page": 1}}) == {
        "filter.page": ["Unknown field"]
    }


async def test_it_takes_the_right_to_write(house: House) -> None:
    reader = await house.new_key("acme", Scope.READ)

    answer = await house("POST", "/api/jobs/bulk", {"action": "cancel", "filter": {}}, key=reader)

    assert refused(answer) == (403, "This API key lacks the scope jobs:write.")


async def test_the_same_key_and_body_is_the_same_operation(house: House) -> None:
    job = await house.waiting(tags=["old"])
    body, key = {"action": "cancel", "filter": {"tag": "old"}}, {"Idempotency-Key": "once"}

    first = await house("POST", "/api/jobs/bulk", body, also=key)
    ended = await house.show(data(first)["id"], params={"wait": 60})
    late = await house.waiting(tags=["old"])
    again = await house("POST", "/api/jobs/bulk", body, also=key)

    assert (first.status_code, again.status_code) == (202, 202)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert data(again) == ended
    assert await status(house, job) == "CANCELLED"
    assert await status(house, late) == "PENDING"


async def test_many_at_the_same_time_with_one_key_are_one_operation(house: House) -> None:
    body, key = {"action": "retry", "filter": {}}, {"Idempotency-Key": "race"}

    answers = await asyncio.gather(
        *(house("POST", "/api/jobs/bulk", body, also=key) for _ in range(8))
    )

    assert {answer.status_code for answer in answers} == {202}
    assert len({data(answer)["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1


async def test_the_same_key_with_another_body_is_a_conflict(house: House) -> None:
    body, key = {"action": "cancel", "filter": {"tag": "a"}}, {"Idempotency-Key": "once"}
    await house("POST", "/api/jobs/bulk", body, also=key)

    other = await house("POST", "/api/jobs/bulk", {"action": "cancel", "filter": {}}, also=key)
    job = await house("POST", "/api/jobs", {"type": "work"}, also=key)

    sentence = "This Idempotency-Key was used with another body within 24 hours."
    assert refused(other) == refused(job) == (409, sentence)


async def test_keys_of_tenants_are_apart(house: House) -> None:
    other = await house.new_key("globex")
    body, key = {"action": "cancel", "filter": {}}, {"Idempotency-Key": "once"}
    ours = await house("POST", "/api/jobs/bulk", body, also=key)

    theirs = await house("POST", "/api/jobs/bulk", body, also=key, key=other)

    assert "idempotency-replayed" not in theirs.headers
    assert data(theirs)["id"] != data(ours)["id"]


async def test_a_key_that_is_none_is_refused(house: House) -> None:
    body = {"action": "cancel", "filter": {}}

    answer = await house("POST", "/api/jobs/bulk", body, also={"Idempotency-Key": "k" * 256})

    assert faults(answer) == {"Idempotency-Key": ["Must have 1 to 255 printable characters"]}


async def test_nobody_submits_one_as_a_job(house: House) -> None:
    answer = await house("POST", "/api/jobs", {"type": "jobcast/bulk/cancel"})

    assert set(faults(answer)) == {"type"}


async def test_so_many_at_once_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST", 0)

    answer = await house("POST", "/api/jobs/bulk", {"action": "cancel", "filter": {}})

    assert answer.status_code == 429
    assert answer.json()["code"] == "QUOTA_EXCEEDED"
    assert answer.headers["retry-after"] == "5"


async def test_who_repeats_a_request_is_answered_also_where_no_more_are_let_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, key = {"action": "cancel", "filter": {}}, {"Idempotency-Key": "once"}
    first = await house("POST", "/api/jobs/bulk", body, also=key)
    monkeypatch.setattr(service, "MOST", 0)

    again = await house("POST", "/api/jobs/bulk", body, also=key)
    new = await house("POST", "/api/jobs/bulk", body, also={"Idempotency-Key": "twice"})

    assert (again.status_code, data(again)["id"]) == (202, data(first)["id"])
    assert new.status_code == 429


async def test_it_counts_as_a_submission(tmp_path: Path, workshop: Workshop) -> None:
    async with house_of(workshop.app, tmp_path, key_rate_limit=1) as small:
        body = {"action": "cancel", "filter": {}}
        first, second = [await small("POST", "/api/jobs/bulk", body) for _ in range(2)]

    assert (first.status_code, first.headers["x-ratelimit-remaining"]) == (202, "0")
    assert second.status_code == 429
