import asyncio

import pytest
from tests.support.talk import Talk, member, talk
from tests.support.whole_house import House, data, eventually
from tests.support.workshop import Workshop
from tests.unit.gateway.ws.conftest import Open

from jobcast.domain.access import Scope

UNKNOWN = "01890000-0000-7000-8000-000000000000"


def seqs(frames: list[dict[str, object]]) -> list[object]:
    return [frame["seq"] for frame in frames]


# ── subscribing to a job ──────────────────────────────────────────────────────────────────────


async def test_a_subscription_brings_the_past_then_what_is_live(
    live: House, workshop: Workshop
) -> None:
    job = await live.submit("gate", {"before": 3, "after": 3})
    await workshop.entered().wait()
    async with member(live.address, live.key.headers) as client:
        answer = await client.ask("subscribe", jobId=job["id"], after=1)
        workshop.open()
        events = await client.events(job["id"])

    assert (answer["type"], answer["jobId"], answer["recovered"]) == ("subscribed", job["id"], True)
    assert answer["job"]["id"] == job["id"]
    assert answer["job"]["payload"] == {"before": 3, "after": 3}
    assert seqs(events) == list(range(2, 10))
    assert events[0]["type"] == "job:processing"
    for event in events:
        assert {"jobId", "tenantId", "jobType", "status", "seq", "attempt", "at"} <= set(event)
        assert (event["tenantId"], event["jobType"]) == ("acme", "gate")
    assert events[-1]["result"] == "through"


async def test_without_a_place_only_what_is_live_comes(live: House) -> None:
    job = await live.waiting()
    async with member(live.address, live.key.headers) as client:
        answer = await client.ask("subscribe", jobId=job["id"])
        await live("DELETE", f"/api/jobs/{job['id']}")
        event = await client.hear()

    assert answer["seq"] == 1
    assert (event["type"], event["seq"], event["status"]) == ("job:cancelled", 2, "CANCELLED")


async def test_an_ended_job_gives_its_last_event_and_is_over(live: House) -> None:
    job = await live.done()
    async with member(live.address, live.key.headers) as client:
        for _ in range(3):  # it ends by itself: the same connection may ask again
            await client.ask("subscribe", jobId=job["id"])
            assert (await client.hear())["type"] == "job:done"
        await client.ask("subscribe", jobId=job["id"], after=job["seq"])
        assert (await client.ask("ping"))["type"] == "pong"


async def test_a_place_beyond_the_newest_is_not_recovered(live: House) -> None:
    job = await live.waiting()
    async with member(live.address, live.key.headers) as client:
        answer = await client.ask("subscribe", jobId=job["id"], after=99)

    assert (answer["recovered"], answer["seq"]) == (False, 1)


async def test_unknown_jobs_and_those_of_others_look_the_same(live: House) -> None:
    theirs = await live.waiting(key=await live.new_key("other"))
    watch = await live.watch_token((await live.waiting())["id"])
    for headers in (live.key.headers, {"Authorization": f"Bearer {watch}"}):
        async with member(live.address, headers) as client:
            answers = [
                await client.ask("subscribe", jobId=job_id)
                for job_id in (theirs["id"], UNKNOWN, "x")
            ]
        for answer in answers:
            assert (answer["code"], answer["message"]) == ("NOT_FOUND", "Job not found")
    assert live.hub.watches == 0


async def test_a_watch_token_sees_its_job_without_the_payload_and_nothing_else(
    live: House,
) -> None:
    job = await live.waiting(payload={"secret": 1})
    async with member(
        live.address, {"Authorization": f"Bearer {await live.watch_token(job['id'])}"}
    ) as client:
        answer = await client.ask("subscribe", jobId=job["id"], after=0)
        assert "payload" not in answer["job"]
        assert (await client.hear())["type"] == "job:pending"
        for command, fields in (
            ("submit", {"job": {"type": "work"}}),
            ("cancel", {"jobId": job["id"]}),
            ("subscribe", {"tenantId": "acme"}),
        ):
            refusal = await client.ask(command, **fields)
            assert (refusal["code"], refusal["message"]) == (
                "UNAUTHORIZED",
                "Access token required",
            )


async def test_a_service_key_says_whose_job_it_means(live: House) -> None:
    job = await live.waiting()
    service = await live.new_key("ops", Scope.SERVICE)
    async with member(live.address, service.headers) as client:
        for tenant in ({}, {"tenantId": "acme"}):
            assert (await client.ask("subscribe", jobId=job["id"], **tenant))[
                "type"
            ] == "subscribed"
            await client.ask("unsubscribe", jobId=job["id"])
        for command in ("subscribe", "cancel"):
            wrong = await client.ask(command, jobId=job["id"], tenantId="other")
            assert wrong["message"] == "Job not found"


async def test_a_key_without_the_scope_may_not(live: House) -> None:
    job = await live.waiting()
    writer, reader = await live.new_key("acme", Scope.WRITE), await live.new_key("acme", Scope.READ)
    async with member(live.address, writer.headers) as client:
        assert (await client.ask("subscribe", jobId=job["id"]))["code"] == "FORBIDDEN"
        assert (await client.ask("subscribe", tenantId="acme"))["code"] == "FORBIDDEN"
    async with member(live.address, reader.headers) as client:
        assert (await client.ask("submit", job={"type": "work"}))["code"] == "FORBIDDEN"
        assert (await client.ask("cancel", jobId=job["id"]))["code"] == "FORBIDDEN"


async def test_who_unsubscribes_hears_no_more(live: House) -> None:
    job = await live.waiting()
    async with member(live.address, live.key.headers) as client:
        await client.ask("subscribe", jobId=job["id"])
        answer = await client.ask("unsubscribe", jobId=job["id"].upper())
        assert (answer["type"], answer["jobId"]) == ("unsubscribed", job["id"].upper())
        assert live.hub.watches == 0
        await live("DELETE", f"/api/jobs/{job['id']}")
        assert (await client.ask("ping")) == client.seen[-1]
        assert not [frame for frame in client.seen if frame["type"].startswith("job:")]
        again = await client.ask("unsubscribe", jobId=job["id"])
        assert again["type"] == "unsubscribed"


async def test_the_same_job_twice_is_refused_in_whichever_letters(live: House) -> None:
    job = await live.waiting()
    async with member(live.address, live.key.headers) as client:
        await client.ask("subscribe", jobId=job["id"])
        for job_id in (job["id"], job["id"].upper()):
            assert (await client.ask("subscribe", jobId=job_id))["code"] == "ALREADY_SUBSCRIBED"
        assert live.hub.watches == 1


async def test_128_live_subscriptions_and_no_more(live: House) -> None:
    jobs = data(
        await live("POST", "/api/jobs/batch", {"jobs": [{"type": "work", "delayMs": 60_000}] * 129})
    )
    async with member(live.address, live.key.headers) as client:
        for job in jobs[:128]:
            assert (await client.ask("subscribe", jobId=job["id"]))["type"] == "subscribed"
        refusal = await client.ask("subscribe", jobId=jobs[128]["id"])
        assert (refusal["code"], refusal["temporary"]) == ("TOO_MANY_SUBSCRIPTIONS", True)
        submit = await client.ask("submit", job={"type": "work", "delayMs": 1})
        assert submit["code"] == "TOO_MANY_SUBSCRIPTIONS"
        await client.ask("unsubscribe", jobId=jobs[0]["id"])
        assert (await client.ask("subscribe", jobId=jobs[128]["id"]))["type"] == "subscribed"
        assert live.hub.watches == 128


async def test_a_retry_is_seen_by_who_comes_back(live: House) -> None:
    job = await live.done("fail")
    async with member(live.address, live.key.headers) as client:
        await client.ask("subscribe", jobId=job["id"], after=0)
        assert seqs(await client.events(job["id"], end="job:failed")) == [1, 2, 3]
        await live("POST", f"/api/jobs/{job['id']}/retry", {"payload": {"fail": False}})
        await client.ask("subscribe", jobId=job["id"], after=3)
        assert seqs(await client.events(job["id"])) == [4, 5, 6]


async def test_a_long_past_comes_whole_while_commands_are_answered(
    live: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcast.gateway.hub.PAGE", 20)
    monkeypatch.setattr("jobcast.gateway.ws.connection.ROOM_BYTES", 1)
    job = await live.done("speak", {"pieces": 400, "size": 8_000})  # 3 MB
    async with member(live.address, live.key.headers) as client:
        await client.ask("subscribe", jobId=job["id"], after=0)
        await client.say("ping", id="now")
        events = await client.events(job["id"])
        place = [frame.get("id") for frame in client.seen].index("now")
        assert (await client.ask("ping"))["type"] == "pong"

    assert seqs(events) == list(range(1, job["seq"] + 1))
    assert place < len(client.seen) - 100


async def test_one_result_of_a_megabyte_reaches_its_watcher(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        jobs = [
            await live.done(payload={"result": "x" * 250_000}),
            await live.done("speak", {"pieces": 20, "size": 60_000}),
        ]
        for job in jobs:
            await client.ask("subscribe", jobId=job["id"], after=0)
            assert seqs(await client.events(job["id"])) == list(range(1, job["seq"] + 1))


async def test_who_leaves_in_the_midst_of_a_past_leaves_nothing(
    live: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcast.gateway.hub.PAGE", 10)
    monkeypatch.setattr("jobcast.gateway.ws.connection.ROOM_BYTES", 1)
    job = await live.done("speak", {"pieces": 500, "size": 4_000})
    async with member(live.address, live.key.headers) as client:
        await client.ask("subscribe", jobId=job["id"], after=0)
        await client.ask("unsubscribe", jobId=job["id"])
        assert live.hub.watches == 0
        await client.ask("subscribe", jobId=job["id"], after=0)
        await client.hear()
        client.connection.transport.abort()

    await eventually(lambda: live.hub.watches == 0)
    await eventually(
        lambda: not [t for t in asyncio.all_tasks() if t.get_name().startswith("replay")]
    )


async def test_a_past_that_cannot_be_read_closes_the_connection_to_come_again(
    live: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcast.gateway.hub.PAGE", 10)
    job = await live.done("speak", {"pieces": 50})

    async def away(watch: object) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr(live.hub, "advance", away)
    async with member(live.address, live.key.headers) as client:
        await client.ask("subscribe", jobId=job["id"], after=0)

        assert (await client.closed())[0] == 3009


# ── submitting ────────────────────────────────────────────────────────────────────────────────


async def test_a_submit_is_followed_from_the_first_event(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        answer = await client.ask("submit", job={"type": "work", "payload": {"result": 5}})
        events = await client.events(answer["job"]["id"])

        assert answer["type"] == "accepted"
        assert answer["job"]["status"] == "PENDING"
        assert [event["type"] for event in events] == ["job:pending", "job:processing", "job:done"]
        assert seqs(events) == [1, 2, 3]
        await eventually(lambda: live.hub.watches == 0)


async def test_nothing_is_missed_of_many_submits_at_once(live: House) -> None:
    async def one(number: int) -> None:
        async with member(live.address, live.key.headers) as client:
            for turn in range(5):
                await client.say("submit", id=turn, job={"type": "speak", "payload": {"pieces": 9}})
            ends: set[str] = set()
            told: dict[str, list[int]] = {}
            while len(ends) < 5:
                frame = await client.hear()
                if frame["type"].startswith("job:"):
                    told.setdefault(frame["jobId"], []).append(frame["seq"])
                if frame["type"] == "job:done":
                    ends.add(frame["jobId"])
            assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in told.values())
            assert len(told) == 5
            for job_id, seen in told.items():
                assert (await live.show(job_id))["seq"] == len(seen)

    await asyncio.gather(*map(one, range(12)))


async def test_a_submit_may_go_unfollowed(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        answer = await client.ask("submit", job={"type": "work"}, subscribe=False)
        await live.ended(answer["job"]["id"])
        await client.ask("ping")

        assert [frame["type"] for frame in client.seen] == ["connected", "accepted", "pong"]


async def test_a_submit_with_the_same_key_is_the_same_job_with_all_its_events(
    live: House,
) -> None:
    command = {"job": {"type": "work", "delayMs": 60_000}, "idempotencyKey": "k"}
    async with member(live.address, live.key.headers) as client:
        first = await client.ask("submit", **command)
        assert (await client.hear())["seq"] == 1
        again = await client.ask("submit", **command)
        assert again["job"]["id"] == first["job"]["id"]
        await client.ask("ping")
        assert live.hub.watches == 1
        other = await client.ask("submit", **{**command, "job": {"type": "work"}})
        assert other["code"] == "CONFLICT"
        odd = await client.ask("submit", **{**command, "idempotencyKey": "\x1fk"})
        assert odd["code"] == "VALIDATION_ERROR"
    async with member(live.address, live.key.headers) as client:
        await client.ask("submit", **command)
        assert (await client.hear())["seq"] == 1


async def test_a_submit_is_judged_like_the_one_over_http(live: House) -> None:
    person = await live.person()
    async with member(live.address, person.bearer) as client:
        for job, errors in (
            ({"type": "a b"}, {"type"}),
            ({"type": "typed", "payload": {"name": 1}}, {"payload.name"}),
            ({"type": "work", "color": 1}, {"color"}),
            ({"type": "work", "payload": []}, {"payload"}),
        ):
            refusal = await client.ask("submit", job=job)
            assert (refusal["code"], set(refusal["errors"])) == ("VALIDATION_ERROR", errors)
            assert refusal["message"].startswith(f"Validation error: {errors.copy().pop()}: ")
        unknown = await client.ask("submit", job={"type": "nonesuch"})
        assert unknown["message"] == "Unknown job type: nonesuch"
        token = await client.ask(
            "submit", job={"type": "work", "delayMs": 60_000, "watchToken": True}
        )
        assert token["job"]["watchToken"].count(".") == 2
        while (answer := await client.ask("submit", job={"type": "work"}))["type"] == "accepted":
            pass
        assert (answer["code"], answer["temporary"]) == ("RATE_LIMITED", True)
        assert "a maximum of 10 jobs per minute" in answer["message"]
        assert answer["retryAfter"] > 0
    jobs = (await live("GET", "/api/jobs", headers=person.bearer)).json()["meta"]["total"]
    assert 5 <= jobs <= 10


async def test_any_json_comes_back_to_the_letter(live: House) -> None:
    payload = '{"nul":"\\u0000","big":1e200000,"a":1,"a":2}'
    async with member(live.address, live.key.headers) as client:
        job = f'{{"type":"work","delayMs":60000,"payload":{payload}}}'
        await client.connection.send(f'{{"type":"submit","job":{job}}}')
        answer = await client.connection.recv()

    assert isinstance(answer, str)
    assert f'"payload":{payload},' in answer


# ── cancelling ────────────────────────────────────────────────────────────────────────────────


async def test_a_running_job_is_cancelled(live: House, workshop: Workshop) -> None:
    async with member(live.address, live.key.headers) as client:
        job = (await client.ask("submit", job={"type": "gate"}))["job"]
        await workshop.entered().wait()

        answer = await client.ask("cancel", jobId=job["id"])

        assert (answer["type"], answer["jobId"]) == ("cancelling", job["id"])
        assert (await client.until("job:cancelled"))["jobId"] == job["id"]
        again = await client.ask("cancel", jobId=job["id"])
        assert again["code"] == "INVALID_OPERATION"
        assert (await client.ask("cancel", jobId=UNKNOWN))["message"] == "Job not found"


# ── subscribing to a tenant ───────────────────────────────────────────────────────────────────


async def test_a_tenant_is_followed_by_its_status_events(live: House) -> None:
    other = await live.new_key("other")
    async with member(live.address, live.key.headers) as client:
        answer = await client.ask("subscribe", tenantId="acme")
        await live.waiting(key=other)
        jobs = [await live.done("speak"), await live.done("fail")]
        heard = [await client.hear() for _ in range(6)]

    assert (answer["type"], answer["tenantId"], answer["recovered"]) == ("subscribed", "acme", True)
    assert [(frame["jobId"], frame["type"]) for frame in heard] == [
        *((jobs[0]["id"], f"job:{kind}") for kind in ("pending", "processing", "done")),
        *((jobs[1]["id"], f"job:{kind}") for kind in ("pending", "processing", "failed")),
    ]
    assert all(frame["cursor"].isdigit() for frame in heard)


async def test_who_comes_back_with_a_cursor_misses_nothing(live: House) -> None:
    async def follow(client: Talk, after: str | None) -> None:
        fields = {} if after is None else {"after": after}
        answer = await client.ask("subscribe", tenantId="acme", **fields)
        assert answer["recovered"] is True

    seen: set[tuple[str, int]] = set()
    cursor: str | None = None
    expected: set[tuple[str, int]] = set()
    for turn in range(4):
        async with member(live.address, live.key.headers) as client:
            await follow(client, cursor)
            job = await live.done()
            expected |= {(job["id"], seq) for seq in (1, 2, 3)}
            while not {pair for pair in expected if pair[0] == job["id"]} <= seen:
                frame = await client.hear()
                cursor = frame["cursor"]
                seen.add((frame["jobId"], frame["seq"]))
        missed = await live.done()  # while nobody listens
        expected |= {(missed["id"], seq) for seq in (1, 2, 3)}
        assert turn < 4
    async with member(live.address, live.key.headers) as client:
        await follow(client, cursor)
        while not expected <= seen:
            frame = await client.hear()
            seen.add((frame["jobId"], frame["seq"]))
    assert seen == expected


async def test_a_tenant_is_followed_by_its_members_and_service_keys_alone(live: House) -> None:
    other, service = await live.new_key("other"), await live.new_key("ops", Scope.SERVICE)
    async with member(live.address, other.headers) as client:
        for tenant in ("acme", "nonesuch"):
            answer = await client.ask("subscribe", tenantId=tenant)
            assert (answer["code"], answer["message"]) == ("NOT_FOUND", "Tenant not found")
    async with member(live.address, service.headers) as client:
        assert (await client.ask("subscribe", tenantId="acme"))["type"] == "subscribed"
        job = await live.waiting()
        assert (await client.hear())["jobId"] == job["id"]
        assert (await client.ask("unsubscribe", tenantId="acme"))["tenantId"] == "acme"
        assert live.hub.watches == 0


async def test_a_cursor_that_was_never_given_is_refused_or_not_recovered(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        for cursor in ("x", "-1", "1.5", "9" * 30):
            answer = await client.ask("subscribe", tenantId="acme", after=cursor)
            assert answer["errors"] == {"after": ["Must be a cursor that this server has given"]}
        answer = await client.ask("subscribe", tenantId="acme", after="9" * 19)
        assert answer["recovered"] is False
        job = await live.waiting()
        assert (await client.hear())["jobId"] == job["id"]


# ── without hints ─────────────────────────────────────────────────────────────────────────────


async def test_without_hints_watchers_get_everything_in_order_by_repair(open_house: Open) -> None:
    async with (
        open_house(hints=False) as live,
        talk(f"{live.address}/ws", headers=live.key.headers) as client,
    ):
        await client.hear()
        await client.ask("subscribe", tenantId="acme")
        answer = await client.ask("submit", job={"type": "speak", "payload": {"pieces": 30}})
        job_id = answer["job"]["id"]
        mine: list[int] = []
        tenants: list[str] = []
        while len(mine) < 36 or len(tenants) < 3:
            frame = await client.hear()
            if frame.get("jobId") == job_id and "cursor" in frame:
                tenants.append(frame["type"])
            elif frame.get("jobId") == job_id:
                mine.append(frame["seq"])

    assert mine == list(range(1, 37))
    assert tenants == ["job:pending", "job:processing", "job:done"]
