import asyncio
import re
from typing import Any, Final

from sqlalchemy import select
from starlette.routing import Route
from tests.support.whole_house import House, data, eventually, faults, refused
from tests.support.workshop import Workshop

from jobcast.domain.access import Scope
from jobcast.gateway.http.app import build_app
from jobcast.store.schema import tenants as tenants_table

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
UNKNOWN = "01890000-0000-7000-8000-000000000000"
NAME_SENTENCE = "Use 1 to 100 of A-Z a-z 0-9 . _ : -"


def body_of(**fields: Any) -> dict[str, Any]:
    return {"type": "work", "delayMs": 60_000, **fields}


async def test_a_submission_answers_with_the_job_where_it_is_and_what_is_left(house: House) -> None:
    person = await house.person()

    answer = await house("POST", "/api/jobs", body_of(), headers=person.bearer)

    assert answer.status_code == 201
    assert answer.json()["message"] == "Job created successfully"
    job = data(answer)
    assert answer.headers["Location"] == f"/api/jobs/{job['id']}"
    assert [answer.headers[name] for name in HEADERS] == ["10", "9", "60"]
    assert list(job) == [
        *("id", "tenantId", "userId", "queue", "type", "status", "payload", "result", "error"),
        *("progress", "priority", "attempts", "maxAttempts", "tags", "channel", "webhookUrl"),
        *("seq", "runAt", "createdAt", "startedAt", "finishedAt", "updatedAt"),
    ]
    assert (job["tenantId"], job["userId"], job["status"]) == ("acme", person.id, "PENDING")
    assert (job["queue"], job["maxAttempts"], job["seq"], job["payload"]) == ("default", 3, 1, {})


async def test_every_field_of_a_submission_is_kept(house: House) -> None:
    given = {
        "queue": "media",
        "priority": -100,
        "maxAttempts": 7,
        "tags": ["a", "b", "a"],
        "channel": "room:1",
        "webhookUrl": "https://example.com/hook",
        "payload": {"a": [1, None]},
    }

    answer = await house(
        "POST", "/api/jobs", body_of(**given, timeoutMs=5000, uniqueKey="u", tenantId="acme")
    )

    job = data(answer)
    assert {name: job[name] for name in given} == {**given, "tags": ["a", "b"]}


async def test_a_job_runs_and_shows_its_result(house: House) -> None:
    job = await house.done(payload={"result": [1, {"a": None}]})

    assert (job["status"], job["result"], job["attempts"], job["seq"]) == (
        "DONE",
        [1, {"a": None}],
        1,
        3,
    )


async def test_without_credentials_nothing_is_submitted(house: House) -> None:
    answer = await house("POST", "/api/jobs", body_of(), headers={})

    assert refused(answer) == (401, "Access token required")


async def test_a_key_that_only_reads_may_not_submit(house: House) -> None:
    key = await house.new_key("acme", Scope.READ)

    answer = await house("POST", "/api/jobs", body_of(), key=key)

    assert refused(answer) == (403, "This API key lacks the scope jobs:write.")


BAD_FIELDS: Final[list[tuple[dict[str, Any], Any]]] = [
    ({"type": "a b"}, {"type": [NAME_SENTENCE]}),
    ({"type": "work\n"}, {"type": [NAME_SENTENCE]}),
    ({"type": ""}, {"type": [NAME_SENTENCE]}),
    ({"type": "x" * 101}, {"type": [NAME_SENTENCE]}),
    ({"type": 3}, {"type": ["Expected str, got int"]}),
    ({"queue": "no spaces"}, {"queue": [NAME_SENTENCE]}),
    ({"tenantId": "a/b"}, {"tenantId": [NAME_SENTENCE]}),
    ({"channel": "Room"}, {"channel": ["Use 1 to 128 of a-z 0-9 : _ . -"]}),
    ({"payload": [1]}, {"payload": ["Expected an object"]}),
    ({"payload": "text"}, {"payload": ["Expected an object"]}),
    ({"payload": None}, {"payload": ["Expected an object"]}),
    ({"priority": 101}, {"priority": ["Expected int <= 100"]}),
    ({"priority": -101}, {"priority": ["Expected int >= -100"]}),
    ({"priority": 1.5}, {"priority": ["Expected int, got float"]}),
    ({"maxAttempts": 0}, {"maxAttempts": ["Expected int >= 1"]}),
    ({"timeoutMs": 0}, {"timeoutMs": ["Expected int >= 1"]}),
    ({"delayMs": -1}, {"delayMs": ["Expected int >= 0"]}),
    ({"tags": ["", "b"]}, {"tags[0]": ["Expected str of length >= 1"]}),
    ({"color": "red"}, {"color": ["Unknown field"]}),
    ({"runAt": "2030-01-01T00:00:00Z"}, {"runAt": ["Give runAt or delayMs, not both"]}),
    ({"webhookUrl": "ftp://x/"}, {"webhookUrl": ["Expected an http:// or https:// URL"]}),
    (
        {"webhookUrl": "http://me:secret@x/"},
        {"webhookUrl": ["A URL with a user name or password is refused"]},
    ),
]


async def test_a_bad_field_is_named_and_the_answer_says_what_is_left(house: House) -> None:
    for fields, errors in BAD_FIELDS:
        answer = await house("POST", "/api/jobs", body_of(**fields))

        assert faults(answer) == errors
        assert all(name in answer.headers for name in HEADERS)


async def test_a_missing_type_is_named(house: House) -> None:
    assert faults(await house("POST", "/api/jobs", {})) == {"type": ["Required"]}


NO_JSON: Final = [
    b"",
    b"{",
    b'{"type":"work"}}',
    b'{"type":"work","payload":{"a":NaN}}',
    b'{"type":"work","payload":{"a":"\\ud800"}}',
    b'{"type":"work","payload":{"a":"\xff"}}',
    b'{"type":"work","payload":{"\xc3\x28":1}}',
    b'{"type":"work","payload":{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}",
]


async def test_what_is_not_json_is_refused(house: House) -> None:
    for content in NO_JSON:
        status, sentence = refused(await house("POST", "/api/jobs", content))

        assert status == 400
        assert sentence.startswith("Invalid JSON")


async def test_a_body_that_is_an_array_is_refused(house: House) -> None:
    assert faults(await house("POST", "/api/jobs", [])) == {"body": ["Expected object, got array"]}


ANY_JSON: Final = [
    b'{"nul":"\\u0000"}',
    b'{"big":1e200000,"digits":' + b"9" * 6000 + b"}",
    b'{"a":1,"a":2}',
    b'{ "spaced" : [ 1 , 2 ] }',
    '{"text":"\u00fc\U0001f600\u2028"}'.encode(),
    b'{"exact":0.10000000000000000001,"zero":-0.0}',
    b'{"deep":' + b"[" * 400 + b"]" * 400 + b"}",
]


async def test_any_json_comes_back_to_the_letter(house: House) -> None:
    for payload in ANY_JSON:
        body = b'{"type":"work","delayMs":60000,"payload":%b}' % payload
        created = await house("POST", "/api/jobs", body)
        assert created.status_code == 201
        shown = await house("GET", created.headers["Location"])

        for answer in (created, shown):
            assert b'"payload":' + payload + b"," in answer.content


async def test_a_payload_may_have_256_kib_and_no_more(house: House) -> None:
    def body(size: int) -> bytes:
        padding = b"x" * (size - len(b'{"a":""}'))
        return b'{"type":"work","delayMs":60000,"payload":{"a":"%b"}}' % padding

    assert (await house("POST", "/api/jobs", body(262_144))).status_code == 201
    assert refused(await house("POST", "/api/jobs", body(262_145))) == (
        413,
        "The payload is larger than 262144 bytes. Store it, and send its address.",
    )
    status, sentence = refused(await house("POST", "/api/jobs", body(400_000)))
    assert (status, sentence) == (413, "The body is larger than 327680 bytes.")


async def test_a_type_that_nobody_handles_is_refused(house: House) -> None:
    answer = await house("POST", "/api/jobs", body_of(type="nonesuch"))

    assert refused(answer) == (400, "Unknown job type: nonesuch")
    assert answer.json()["code"] == "UNKNOWN_JOB_TYPE"


UNFIT: Final[list[tuple[Any, set[str]]]] = [
    ({}, {"payload.name"}),
    ({"name": 3}, {"payload.name"}),
    ({"name": "a", "count": "b"}, {"payload.count"}),
    ({"name": 3, "sizes": [1, "x"]}, {"payload.name", "payload.sizes.1"}),
]


async def test_a_payload_that_does_not_fit_its_type_is_refused_by_field(house: House) -> None:
    for payload, fields in UNFIT:
        answer = await house("POST", "/api/jobs", {"type": "typed", "payload": payload})

        assert set(faults(answer)) == fields


async def test_numbers_of_any_size_are_checked_against_a_schema(house: House) -> None:
    body = b'{"type":"typed","payload":{"name":"a","count":%b}}' % (b"9" * 6000)

    assert (await house("POST", "/api/jobs", body)).status_code == 201


async def test_the_eleventh_submission_in_a_minute_is_too_much(house: House) -> None:
    person = await house.person()
    for _ in range(10):
        await house.waiting(headers=person.bearer)

    answer = await house("POST", "/api/jobs", body_of(), headers=person.bearer)

    seconds = answer.json()["retryAfter"]
    assert 0 < seconds <= 60
    assert refused(answer) == (
        429,
        "Too many requests. You can submit a maximum of 10 jobs per minute. "
        f"Try again in {seconds} seconds.",
    )
    assert answer.headers["Retry-After"] == str(seconds)
    assert [answer.headers[name] for name in HEADERS[:2]] == ["10", "0"]


async def test_a_key_may_submit_much_more_than_a_user(house: House) -> None:
    answer = await house("POST", "/api/jobs", body_of())

    assert answer.headers["X-RateLimit-Limit"] == "6000"


# ── idempotency, unique keys ──────────────────────────────────────────────────────────────────


async def test_the_same_idempotency_key_and_body_is_the_same_job(house: House) -> None:
    key = {"Idempotency-Key": "once"}
    first = await house("POST", "/api/jobs", body_of(), also=key)
    assert "Idempotency-Replayed" not in first.headers

    again = await house("POST", "/api/jobs", body_of(), also=key)

    assert again.status_code == 201
    assert again.headers["Idempotency-Replayed"] == "true"
    assert data(again)["id"] == data(first)["id"]
    assert again.headers["Location"] == first.headers["Location"]


async def test_the_same_idempotency_key_with_another_body_is_a_conflict(house: House) -> None:
    key = {"Idempotency-Key": "once"}
    await house("POST", "/api/jobs", body_of(), also=key)

    answer = await house("POST", "/api/jobs", body_of(priority=1), also=key)

    sentence = "This Idempotency-Key was used with another body within 24 hours."
    assert refused(answer) == (409, sentence)
    assert all(name in answer.headers for name in HEADERS)


async def test_idempotency_keys_of_tenants_are_apart(house: House) -> None:
    key = {"Idempotency-Key": "once"}
    other = await house.new_key("other")
    first = await house("POST", "/api/jobs", body_of(), also=key)

    second = await house("POST", "/api/jobs", body_of(), also=key, key=other)

    assert data(first)["id"] != data(second)["id"]


async def test_an_idempotency_key_that_is_none_is_refused(house: House) -> None:
    for key in ("", "x" * 256, "tab\there"):
        answer = await house("POST", "/api/jobs", body_of(), also={"Idempotency-Key": key})

        assert faults(answer) == {"Idempotency-Key": ["Must have 1 to 255 printable characters"]}


async def test_racing_submissions_with_one_key_make_one_job(house: House) -> None:
    key = {"Idempotency-Key": "race"}

    answers = await asyncio.gather(
        *(house("POST", "/api/jobs", body_of(), also=key) for _ in range(20))
    )

    assert len({data(answer)["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


async def test_a_unique_key_answers_with_the_live_job(house: House) -> None:
    first = data(await house("POST", "/api/jobs", body_of(uniqueKey="u")))

    answer = await house("POST", "/api/jobs", body_of(uniqueKey="u", priority=3))

    assert answer.status_code == 200
    assert answer.json()["message"] == "Job already exists"
    assert (data(answer)["id"], data(answer)["priority"]) == (first["id"], 0)
    assert all(name in answer.headers for name in HEADERS)


async def test_a_unique_key_is_free_again_when_its_job_has_ended(house: House) -> None:
    first = await house.done(uniqueKey="u")

    assert (await house.submit(uniqueKey="u"))["id"] != first["id"]


async def test_a_watch_token_may_come_with_the_job(house: House) -> None:
    answer = await house("POST", "/api/jobs", body_of(watchToken=True))

    token = data(answer)["watchToken"]
    shown = await house(
        "GET", f"/api/jobs/{data(answer)['id']}", headers={}, params={"token": token}
    )
    assert shown.status_code == 200


# ── batches ───────────────────────────────────────────────────────────────────────────────────


async def test_a_batch_makes_its_jobs_in_order(house: House) -> None:
    jobs = [body_of(priority=number) for number in range(100)]

    answer = await house("POST", "/api/jobs/batch", {"jobs": jobs})

    assert answer.status_code == 201
    assert answer.json()["message"] == "Jobs created successfully"
    assert [job["priority"] for job in data(answer)] == list(range(100))
    assert answer.headers["X-RateLimit-Remaining"] == "5900"


BAD_JOBS: Final[list[tuple[dict[str, Any], Any]]] = [
    ({"type": "work", "priority": 101}, {"jobs[3].priority": ["Expected int <= 100"]}),
    ({"type": "work", "payload": [1]}, {"jobs[3].payload": ["Expected an object"]}),
    ({"type": "work", "color": 1}, {"jobs[3].color": ["Unknown field"]}),
    (
        {"type": "typed", "payload": {"name": 1}},
        {"jobs[3].payload.name": ['1 is not of type "string"']},
    ),
]


async def test_a_batch_with_one_bad_job_makes_none_and_names_it(house: House) -> None:
    for bad, errors in BAD_JOBS:
        jobs = [body_of(), body_of(), body_of(), bad, body_of()]

        assert faults(await house("POST", "/api/jobs/batch", {"jobs": jobs})) == errors
    assert (await house("GET", "/api/jobs")).json()["meta"]["total"] == 0


async def test_a_batch_names_the_job_of_an_unknown_type_or_too_large_a_payload(
    house: House,
) -> None:
    unknown = await house("POST", "/api/jobs/batch", {"jobs": [body_of(), {"type": "nonesuch"}]})
    large = body_of(payload={"a": "x" * 262_144})
    too_large = await house("POST", "/api/jobs/batch", {"jobs": [body_of(), large]})

    assert refused(unknown) == (400, "jobs[1]: Unknown job type: nonesuch")
    assert unknown.json()["code"] == "UNKNOWN_JOB_TYPE"
    status, sentence = refused(too_large)
    assert status == 413
    assert sentence.startswith("jobs[1]: The payload is larger than 262144 bytes.")


async def test_a_batch_has_1_to_1000_jobs(house: House) -> None:
    for count, sentence in (
        (0, "Expected array of length >= 1"),
        (1001, "Expected array of length <= 1000"),
    ):
        answer = await house("POST", "/api/jobs/batch", {"jobs": [body_of()] * count})

        assert faults(answer) == {"jobs": [sentence]}


async def test_a_batch_larger_than_the_limit_is_refused_at_once(house: House) -> None:
    person = await house.person()

    answer = await house(
        "POST", "/api/jobs/batch", {"jobs": [body_of()] * 11}, headers=person.bearer
    )

    status, sentence = refused(answer)
    assert status == 400
    assert "a maximum of 10 jobs per minute" in sentence
    assert answer.headers["X-RateLimit-Remaining"] == "10"


async def test_a_batch_counts_as_its_jobs(house: House) -> None:
    person = await house.person()
    batch = {"jobs": [body_of()] * 6}
    await house("POST", "/api/jobs/batch", batch, headers=person.bearer)

    answer = await house("POST", "/api/jobs/batch", batch, headers=person.bearer)

    assert answer.status_code == 429
    assert answer.headers["X-RateLimit-Remaining"] == "4"


async def test_a_batch_is_idempotent_as_a_whole(house: House) -> None:
    batch, key = {"jobs": [body_of(), body_of()]}, {"Idempotency-Key": "b"}
    first = await house("POST", "/api/jobs/batch", batch, also=key)

    again = await house("POST", "/api/jobs/batch", batch, also=key)
    other = await house("POST", "/api/jobs/batch", {"jobs": [body_of()]}, also=key)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert data(again) == data(first)
    assert other.status_code == 409


# ── reading ───────────────────────────────────────────────────────────────────────────────────


async def test_a_job_is_shown_with_an_etag_and_not_sent_twice(house: House) -> None:
    job = await house.waiting()
    path = f"/api/jobs/{job['id']}"

    shown = await house("GET", path)
    etag = shown.headers["ETag"]
    same = await house("GET", path, also={"If-None-Match": f'"other", W/{etag}'})
    await house("DELETE", path)
    changed = await house("GET", path, also={"If-None-Match": etag})

    assert (shown.status_code, shown.json()["message"]) == (200, "Job retrieved successfully")
    assert data(shown) == job
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", etag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag
    assert {"Authorization", "X-API-Key"} <= set(shown.headers["Vary"].split(", "))


async def test_a_watch_token_gets_another_etag_than_a_member(house: House) -> None:
    job = await house.waiting()
    path, token = f"/api/jobs/{job['id']}", await house.watch_token(job["id"])

    member = await house("GET", path)
    watcher = await house("GET", path, headers={"Authorization": f"Bearer {token}"})

    assert member.headers["ETag"] != watcher.headers["ETag"]
    assert "payload" not in data(watcher)


async def test_waiting_answers_when_the_job_ends(house: House, workshop: Workshop) -> None:
    job = await house.submit("gate")
    await workshop.entered().wait()

    waiting = asyncio.create_task(house("GET", f"/api/jobs/{job['id']}", params={"wait": "60"}))
    await eventually(lambda: house.hub.watches == 1)
    workshop.open()

    assert data(await waiting)["status"] == "DONE"


async def test_waiting_gives_up_when_its_time_is_over(house: House) -> None:
    job = await house.waiting()

    assert (await house.show(job["id"], params={"wait": 1}))["status"] == "PENDING"


async def test_waiting_ends_when_the_server_goes(house: House) -> None:
    job = await house.waiting()
    waiting = asyncio.create_task(house.show(job["id"], params={"wait": 60}))
    await eventually(lambda: house.hub.watches == 1)

    house.gateway.readiness.drain()

    assert (await waiting)["status"] == "PENDING"


async def test_a_wait_that_is_none_is_refused(house: House) -> None:
    job = await house.waiting()
    for wait in ("61", "-1", "a", "1.5", ""):
        answer = await house("GET", f"/api/jobs/{job['id']}", params={"wait": wait})

        assert faults(answer) == {"wait": ["Must be a whole number from 0 to 60"]}


async def test_an_unknown_job_is_not_found(house: House) -> None:
    for job_id in ("nonesuch", "%00", "\u00fc", "%ff", "x" * 3000):
        assert refused(await house("GET", f"/api/jobs/{job_id}")) == (404, "Job not found")


async def test_jobs_are_listed_newest_first_without_payload_and_result(house: House) -> None:
    jobs = [await house.waiting() for _ in range(3)]

    answer = await house("GET", "/api/jobs")

    assert answer.json()["message"] == "Jobs retrieved successfully"
    assert [job["id"] for job in data(answer)] == [job["id"] for job in reversed(jobs)]
    assert set(data(answer)[0]) == set(jobs[0]) - {"payload", "result"}
    assert answer.json()["meta"] == {
        "total": 3,
        "page": 1,
        "limit": 10,
        "totalPages": 1,
        "hasNextPage": False,
        "hasPrevPage": False,
    }


async def test_pages_and_cursors_go_through_all_jobs_either_way(house: House) -> None:
    jobs = [(await house.waiting())["id"] for _ in range(5)]

    async def listed(**params: Any) -> tuple[list[str], dict[str, Any]]:
        answer = await house("GET", "/api/jobs", params={"limit": 2, **params})
        return [job["id"] for job in data(answer)], answer.json()["meta"]

    second, meta = await listed(page=2, sort="createdAt")
    assert second == jobs[2:4]
    assert (meta["totalPages"], meta["hasNextPage"], meta["hasPrevPage"]) == (3, True, True)
    for sort, wanted in (("createdAt", jobs), ("-createdAt", jobs[::-1])):
        seen: list[str] = []
        more: dict[str, Any] = {}
        while True:
            found, meta = await listed(sort=sort, **more)
            seen += found
            assert meta["hasNextPage"] == ("cursor" in meta)
            if "cursor" not in meta:
                break
            more = {"cursor": meta["cursor"]}
        assert seen == wanted


BAD_LISTS: Final = [
    ({"limit": "101"}, "limit"),
    ({"limit": "0"}, "limit"),
    ({"limit": "ten"}, "limit"),
    ({"page": "0"}, "page"),
    ({"page": "1001", "limit": "10"}, "page"),
    ({"status": "OPEN"}, "status"),
    ({"status": "done"}, "status"),
    ({"sort": "priority"}, "sort"),
    ({"cursor": "bogus"}, "cursor"),
    ({"cursor": ""}, "cursor"),
]


async def test_a_list_that_cannot_be_is_refused_by_field(house: House) -> None:
    for params, field in BAD_LISTS:
        assert set(faults(await house("GET", "/api/jobs", params=params))) == {field}


async def test_a_list_beyond_10_000_jobs_goes_on_by_cursor(house: House) -> None:
    answer = await house("GET", "/api/jobs", params={"page": "101", "limit": "100"})

    assert "cursor=" in faults(answer)["page"][0]
    assert (await house("GET", "/api/jobs", params={"page": 100, "limit": 100})).status_code == 200


async def test_every_filter_finds_its_own(house: House) -> None:
    person = await house.person()
    done = await house.done()
    tagged = await house.waiting(tags=["red", "100%_sure"])
    queued = await house.waiting(queue="media")
    typed = await house.waiting(type="typed", payload={"name": "a"})
    owned = await house.waiting(headers=person.bearer)

    async def found(**params: str) -> set[str]:
        answer = await house("GET", "/api/jobs", params=params)
        assert answer.json()["meta"]["total"] == len(data(answer))
        return {job["id"] for job in data(answer)}

    waiting = {job["id"] for job in (tagged, queued, typed, owned)}
    assert await found(status="DONE") == {done["id"]}
    assert await found(status="PENDING") == waiting
    assert await found(status="PROCESSING") == set()
    assert await found(type="typed") == {typed["id"]}
    assert await found(queue="media") == {queued["id"]}
    assert await found(tag="red") == {tagged["id"]}
    assert await found(userId=person.id) == {owned["id"]}
    assert await found(q=done["id"]) == {done["id"]}
    assert await found(q="typ") == {typed["id"]}
    assert await found(q="100%_sure") == {tagged["id"]}
    assert await found(q="%") == set()
    assert await found(q="w", status="DONE") == {done["id"]}
    assert await found(tenantId="acme") == {done["id"], *waiting}


async def test_lists_hold_the_jobs_of_the_own_tenant_alone(house: House) -> None:
    mine = await house.waiting()
    other = await house.new_key("other")
    theirs = await house.waiting(key=other)
    service = await house.new_key("ops", Scope.SERVICE)

    async def found(key: Any, **params: str) -> set[str]:
        return {job["id"] for job in data(await house("GET", "/api/jobs", key=key, params=params))}

    assert await found(house.key) == {mine["id"]}
    assert await found(other) == {theirs["id"]}
    assert await found(service) == {mine["id"], theirs["id"]}
    assert await found(service, tenantId="other") == {theirs["id"]}
    assert refused(await house("GET", "/api/jobs", params={"tenantId": "other"})) == (
        403,
        "Only service keys may act for another tenant.",
    )


# ── tenants ───────────────────────────────────────────────────────────────────────────────────


async def test_a_service_key_submits_for_any_tenant_and_makes_a_new_one(house: House) -> None:
    service = await house.new_key("ops", Scope.SERVICE)

    job = await house.waiting(key=service, tenantId="brand-new")

    assert job["tenantId"] == "brand-new"
    member = await house.new_key("brand-new")
    assert (await house.show(job["id"], key=member))["id"] == job["id"]
    assert await tenants(house) >= {"acme", "ops", "brand-new"}


async def test_a_refused_submission_makes_no_tenant(house: House) -> None:
    service = await house.new_key("ops", Scope.SERVICE)

    await house("POST", "/api/jobs", {"type": "nonesuch", "tenantId": "ghost"}, key=service)
    await house(
        "POST",
        "/api/jobs/batch",
        {"jobs": [body_of(tenantId="ghost"), {"type": "nonesuch"}]},
        key=service,
    )

    assert "ghost" not in await tenants(house)


async def test_nobody_else_submits_for_another_tenant(house: House) -> None:
    answer = await house("POST", "/api/jobs", body_of(tenantId="other"))

    assert refused(answer) == (403, "Only service keys may act for another tenant.")


async def test_a_job_of_another_tenant_looks_like_none_on_every_route(house: House) -> None:
    job = await house.done("save", {"files": {"a": "b"}}, webhookUrl="http://127.0.0.1:9/")
    other = await house.new_key("other", *(set(Scope) - {Scope.SERVICE}))
    for method, path in routes_of_jobs(house):
        for more in ({}, {"wait": "1", "after": "0"}):
            theirs, unknown = [
                await house(method, path.format(job_id), key=other, params=more)
                for job_id in (job["id"], UNKNOWN)
            ]
            assert theirs.status_code == unknown.status_code == 404, (method, path)
            assert theirs.content == unknown.content
            if method != "HEAD":
                assert refused(theirs) == (404, "Job not found")
    assert (await house.show(job["id"]))["status"] == "DONE"


def routes_of_jobs(house: House) -> list[tuple[str, str]]:
    """Every method and path about one job; `{}` stands for its id."""
    found = [
        (method, re.sub(r"{\w+}", "a", route.path.replace("{id}", "{}")))
        for route in build_app(house.gateway).router.routes
        if isinstance(route, Route) and route.path.startswith("/api/jobs/{id}")
        for method in sorted(route.methods or ())
    ]
    assert len(found) > 12
    return found


async def tenants(house: House) -> set[str]:
    return await house.store.read(lambda conn: set(conn.scalars(select(tenants_table.c.id))))
