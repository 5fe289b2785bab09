"""Each quota over a whole house: its sentence, and the metric that counts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.whole_house import WITHIN, House, data, house_of, refused

import jobcast
from jobcast.domain.access import Scope
from jobcast.services.refusals import REFUSED, Quota

LIMITS: dict[str, Any] = {
    "max_waiting": 2,
    "max_log_bytes": 100,
    "max_output_bytes": 100,
    "max_result_bytes": 100,
    "max_file_bytes": 100,
    "max_payload_bytes": 1_000,
    "max_batch": 2,
    "max_batch_bytes": 2_000,
    "max_page_size": 5,
    "max_webhook_bytes": 10,
}
app = jobcast.App()


@app.job("log", max_attempts=1)
async def log(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
    await ctx.log("x" * payload["size"])


@app.job("output", max_attempts=1)
async def output(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
    await ctx.output("x" * payload["size"])


@app.job("save", max_attempts=1)
async def save(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
    await ctx.save("a", b"x" * payload["size"])


@app.job("result", max_attempts=1)
async def result(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
    return "x" * int(payload["size"])


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(app, tmp_path, **LIMITS) as made:
        yield made


async def metric(house: House, quota: Quota) -> float:
    key = await house.new_key("house", Scope.SERVICE)
    answer = await house("GET", "/metrics", key=key)
    line = f'jobcast_quota_refusals_total{{quota="{quota}"}} '
    [found] = [row for row in answer.text.splitlines() if row.startswith(line)]
    return float(found.removeprefix(line))


@pytest.mark.parametrize(
    ("type", "quota", "sentence"),
    [
        ("log", Quota.LOG, "A log line is larger than 100 bytes: save it as a file."),
        ("output", Quota.OUTPUT, "A piece of output is larger than 100 bytes"),
        ("save", Quota.FILE, "The file is larger than 100 bytes: store it elsewhere."),
        ("result", Quota.RESULT, "The result is larger than 100 bytes: save it as a file"),
    ],
)
async def test_what_a_job_says_has_a_size(
    house: House, type: str, quota: Quota, sentence: str
) -> None:
    assert (await house.done(type, {"size": 10}))["status"] == "DONE"
    before = await metric(house, quota)

    job = await house.done(type, {"size": 200})

    assert job["status"] == "FAILED"
    assert sentence in job["error"]
    assert await metric(house, quota) == before + 1


async def test_a_payload_and_a_body_have_a_size(house: House) -> None:
    before = REFUSED[Quota.PAYLOAD], REFUSED[Quota.BODY]

    payload = await house("POST", "/api/jobs", {"type": "log", "payload": {"a": "x" * 1_000}})
    body = await house("POST", "/api/jobs", {"type": "log", "tags": ["x" * 100_000]})

    assert refused(payload)[0] == refused(body)[0] == 413
    assert "The payload is larger than 1000 bytes" in refused(payload)[1]
    assert refused(body)[1] == "The body is larger than 66536 bytes."
    assert (REFUSED[Quota.PAYLOAD], REFUSED[Quota.BODY]) == (before[0] + 1, before[1] + 1)


async def test_a_batch_has_a_length_and_a_size(house: House) -> None:
    before = REFUSED[Quota.BATCH]

    long = await house("POST", "/api/jobs/batch", {"jobs": [{"type": "log"}] * 3})
    large = await house("POST", "/api/jobs/batch", {"jobs": [{"type": "x" * 3_000}]})

    assert long.json()["errors"] == {"jobs": ["Expected array of length <= 2"]}
    assert refused(large) == (413, "The body is larger than 2000 bytes.")
    assert REFUSED[Quota.BATCH] == before + 1


async def test_a_page_has_a_size(house: House) -> None:
    before = REFUSED[Quota.PAGE]

    answer = await house("GET", "/api/jobs", params={"limit": 6})

    assert answer.json()["errors"] == {"limit": ["Must be a whole number from 1 to 5"]}
    assert REFUSED[Quota.PAGE] == before + 1
    assert (await house("GET", "/api/jobs")).json()["meta"]["limit"] == 5


async def test_a_tenant_has_so_many_waiting_jobs(house: House) -> None:
    for _ in range(2):
        waiting = await house.waiting(type="log")
    before = REFUSED[Quota.WAITING]

    answer = await house("POST", "/api/jobs", {"type": "log"})

    assert refused(answer) == (
        429,
        "Too many waiting jobs: a tenant may have 2. Try again when some of them have run.",
    )
    assert (answer.json()["code"], answer.headers["Retry-After"]) == ("QUOTA_EXCEEDED", "5")
    assert REFUSED[Quota.WAITING] == before + 1
    assert refused(await house("POST", "/api/jobs/batch", {"jobs": [{"type": "log"}]}))[0] == 429
    other = await house.new_key("other")
    await house.submit("log", {"size": 1}, key=other)
    await house("DELETE", f"/api/jobs/{waiting['id']}")
    again = {"type": "log"}
    async with asyncio.timeout(WITHIN):
        while (await house("POST", "/api/jobs", again)).status_code != 201:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # it is counted again a little later


async def test_a_webhook_that_is_too_large_is_not_sent_and_its_log_says_so(house: House) -> None:
    job = await house.done("log", {"size": 1}, webhookUrl="http://127.0.0.1:9/")
    logs = f"/api/jobs/{job['id']}/webhook-logs"
    async with asyncio.timeout(WITHIN):
        while not (rows := data(await house("GET", logs))):  # noqa: ASYNC110
            await asyncio.sleep(0.005)  # nobody announces it

    assert [(row["statusCode"], row["error"]) for row in rows] == [
        (None, "the webhook is larger than 10 bytes")
    ]


async def test_who_repeats_a_submission_is_answered_also_where_nobody_else_is_let_in(
    house: House,
) -> None:
    key = {"Idempotency-Key": "same"}
    job = {"type": "log", "delayMs": 60_000}
    first = await house("POST", "/api/jobs", job, also=key)
    twin = await house.waiting(type="log", uniqueKey="one")

    again = await house("POST", "/api/jobs", job, also=key)
    merged = await house("POST", "/api/jobs", {**job, "uniqueKey": "one"})
    other_body = await house("POST", "/api/jobs", {**job, "priority": 1}, also=key)
    new = await house("POST", "/api/jobs", job)

    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert data(again)["id"] == data(first)["id"]
    assert (merged.status_code, data(merged)["id"]) == (200, twin["id"])
    assert other_body.status_code == 409
    assert new.status_code == 429


async def test_a_burst_gets_no_more_in_than_may_wait(house: House) -> None:
    job = {"type": "log", "delayMs": 60_000}

    answers = await asyncio.gather(*(house("POST", "/api/jobs", job) for _ in range(30)))

    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [429] * 28


async def test_a_retry_needs_room_as_a_submission_does(house: House) -> None:
    old = await house.done("log", {"size": 1_000})
    assert old["status"] == "FAILED"
    for _ in range(2):
        await house.waiting(type="log")

    answer = await house("POST", f"/api/jobs/{old['id']}/retry")

    assert refused(answer)[0] == 429
    assert "a tenant may have 2" in refused(answer)[1]


async def test_a_tenants_own_number_of_waiting_jobs_holds(house: House) -> None:
    service = await house.new_key("house", Scope.SERVICE)
    changed = await house("PATCH", "/api/tenants/acme", {"maxWaiting": 1}, key=service)
    assert changed.status_code == 200
    await house.waiting(type="log")

    answer = await house("POST", "/api/jobs", {"type": "log", "delayMs": 60_000})

    assert "a tenant may have 1" in refused(answer)[1]
