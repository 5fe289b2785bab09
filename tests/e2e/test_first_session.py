"""A newcomer's first session, by clients that are not ours; once more by polling alone."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from standardwebhooks import Webhook
from tests.e2e import npm
from tests.e2e.api import Api, assert_whole, eventually, new_account, socket
from tests.e2e.conftest import WEBHOOK_SECRET
from tests.e2e.listener import Listener
from tests.e2e.server import DevServer


@pytest.fixture(params=["starter", "polling"])
def server(request: pytest.FixtureRequest) -> DevServer:
    """With hints, and without."""
    found: DevServer = request.getfixturevalue(request.param)
    return found


async def test_a_report_from_registration_to_its_webhook(
    server: DevServer, listener: Listener
) -> None:
    given = {"email": f"ada-{id(listener)}@example.com", "password": "correct horse"}
    async with Api(server.url) as stranger:
        answer = await stranger.http.post("/api/auth/register", json=given)
        assert (answer.status_code, answer.json()["message"]) == (
            201,
            "User registered successfully",
        )
        answer = await stranger.http.post("/api/auth/login", json=given)
        assert (answer.status_code, answer.json()["message"]) == (200, "Login successful")
        token = answer.json()["data"]["accessToken"]

    async with Api(server.url, token=token) as api:
        answer = await api.http.post(
            "/api/jobs",
            json={
                "type": "generate-report",
                "payload": {"format": "pdf"},
                "webhookUrl": f"{listener.url}/hook",
            },
        )
        assert (answer.status_code, answer.json()["message"]) == (201, "Job created successfully")
        job = answer.json()["data"]
        assert answer.headers["location"] == f"/api/jobs/{job['id']}"
        assert answer.headers["x-ratelimit-limit"] == "10"
        assert answer.headers["x-ratelimit-remaining"] == "9"

        async with socket(server, query=f"?token={token}") as watcher:
            subscribed = await watcher.subscribe(job["id"], after=0)
            assert subscribed["recovered"] is True
            events = await watcher.end()
        assert_whole(events)
        assert [event["type"] for event in events[:2]] == ["job:pending", "job:processing"]
        result = events[-1]["result"]
        assert result["format"] == "pdf"

        report = await api.http.get(result["reportUrl"])
        assert (report.status_code, report.headers["content-type"]) == (200, "application/pdf")
        assert report.content.startswith(b"%PDF-")

        hook = await listener.received()
        assert (hook.method, hook.path) == ("POST", "/hook")
        assert hook.headers["user-agent"] == "Jobcast-Webhook/1.0"
        assert hook.headers["x-jobcast-attempt"] == "1"
        said = Webhook(WEBHOOK_SECRET).verify(hook.body, dict(hook.headers))
        assert said == json.loads(hook.body)
        assert said["jobId"] == job["id"]
        assert (said["type"], said["status"]) == ("generate-report", "DONE")
        assert (said["result"], said["seq"]) == (result, events[-1]["seq"])
        by_hand = hmac.new(WEBHOOK_SECRET.encode(), hook.body, hashlib.sha256).hexdigest()
        assert hook.headers["x-jobcast-signature"] == f"sha256={by_hand}"

        (row,) = await eventually(lambda: api.get(f"/api/jobs/{job['id']}/webhook-logs"), bool)
        assert (row["success"], row["statusCode"], row["attempt"]) == (True, 204, 1)
        assert row["payload"] == said

        lines = [line["message"] for line in await api.get(f"/api/jobs/{job['id']}/logs")]
        assert lines[:3] == [
            "Job started: type=generate-report",
            "Status updated to PROCESSING",
            "Processing job type: generate-report",
        ]
        assert lines[-1] == "Job completed successfully"


async def test_the_same_by_programs_of_npm(server: DevServer) -> None:
    account = await new_account(server)
    async with Api(server.url, key=account.key) as api, npm.receiver(WEBHOOK_SECRET) as receiver:
        # Texts and numbers whose JSON is easily written in another way than JavaScript does.
        payload = {"text": 'żółw </script> \u2028 "q" \\ 😀 \x7f', "n": [1e21, 1.0, -0.5, 1e-7]}
        job = await api.submit("anything", payload, webhookUrl=receiver.url)
        frames = await npm.watch(server, job["id"], key=account.key)
        assert [frame["type"] for frame in frames[:2]] == ["connected", "subscribed"]
        assert_whole(frames[2:])
        assert frames[-1]["result"] == payload

        hook = await receiver.received()
        assert hook["valid"] is True
        assert hook["body"]["result"] == payload

        (row,) = await eventually(lambda: api.get(f"/api/jobs/{job['id']}/webhook-logs"), bool)
        assert (row["success"], row["statusCode"]) == (True, 200)


async def test_a_receiver_that_knows_another_secret_refuses_and_is_asked_again(
    starter: DevServer,
) -> None:
    async with Api(starter.url, key=starter.key) as api, npm.receiver("something else") as receiver:
        job = await api.submit("sleep", {"delayMs": 0}, webhookUrl=receiver.url)
        assert (await receiver.received())["valid"] is False
        assert (await receiver.received())["valid"] is False  # two seconds later
        rows = await eventually(
            lambda: api.get(f"/api/jobs/{job['id']}/webhook-logs"), lambda rows: len(rows) == 2
        )
        assert [(row["attempt"], row["success"]) for row in rows] == [(1, False), (2, False)]
        assert {(row["statusCode"], row["error"]) for row in rows} == {(401, "Unauthorized")}


async def test_a_submission_by_socket_is_followed_from_its_first_event(server: DevServer) -> None:
    async with socket(server, key=server.key) as watcher:
        await watcher.send(
            type="submit", id=7, job={"type": "stream-text", "payload": {"text": "a b"}}
        )
        accepted = await watcher.receive()
        assert (accepted["type"], accepted["id"]) == ("accepted", 7)
        events = await watcher.end()
    assert_whole(events)
    pieces = [event["data"]["token"] for event in events if event["type"] == "job:output"]
    assert "".join(pieces) == "a b"


async def test_a_tenant_is_watched_as_a_whole(server: DevServer) -> None:
    account = await new_account(server)
    async with (
        Api(server.url, key=account.key) as api,
        socket(server, key=account.key) as watcher,
    ):
        await watcher.send(type="subscribe", tenantId=account.tenant_id)
        assert (await watcher.receive())["type"] == "subscribed"
        jobs = {(await api.submit("sleep", {"delayMs": 10}))["id"] for _ in range(3)}
        ended: set[str] = set()
        while ended != jobs:
            frame = await watcher.receive()
            assert frame["jobId"] in jobs
            if frame["type"] == "job:done":
                ended.add(frame["jobId"])
