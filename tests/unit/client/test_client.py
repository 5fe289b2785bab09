import asyncio
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from tests.unit.client.fake_server import FAILURE, KEY, PASSWORD, WORK, FakeServer, Step

from jobcast.client import (
    AsyncClient,
    ClientClosed,
    Conflict,
    Forbidden,
    InvalidRequest,
    JobcastError,
    JobFailed,
    NewJob,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
    Unreachable,
)

AWAY = {"success": False, "message": "Starting", "code": "UNAVAILABLE"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def names_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


class TestSubmitting:
    async def test_a_submitted_job_is_answered_as_the_server_stored_it(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        job = await client.submit("email", {"to": "ada@example.com"}, tags=["welcome"])
        assert (job.type, job.status, job.payload) == (
            "email",
            "PENDING",
            {"to": "ada@example.com"},
        )
        assert job.raw == server.jobs[job.id]

    async def test_every_option_has_its_name_on_the_wire(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        await client.submit(
            "email",
            {"to": "ada"},
            queue="mail",
            priority=5,
            run_at=datetime(2026, 1, 2, 3, 4, 5, 678_900, timezone(timedelta(hours=2))),
            max_attempts=2,
            timeout_ms=1500,
            tags=("a", "b"),
            unique_key="u",
            webhook_url="https://example.com/hook",
            channel="news",
            tenant="acme",
            idempotency_key="once",
        )
        (call,) = server.asked("POST", "/api/jobs")
        assert call.headers["idempotency-key"] == "once"
        assert call.body == {
            "type": "email",
            "payload": {"to": "ada"},
            "queue": "mail",
            "priority": 5,
            "runAt": "2026-01-02T01:04:05.678Z",
            "maxAttempts": 2,
            "timeoutMs": 1500,
            "tags": ["a", "b"],
            "uniqueKey": "u",
            "webhookUrl": "https://example.com/hook",
            "channel": "news",
            "tenantId": "acme",
        }

    async def test_what_was_not_given_is_left_out(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        await client.submit("email", delay_ms=0)
        assert server.asked("POST", "/api/jobs")[0].body == {"type": "email", "delayMs": 0}

    async def test_a_dataclass_can_be_the_payload(self, client: AsyncClient) -> None:
        @dataclass
        class Mail:
            to: str

        assert (await client.submit("email", Mail("ada"))).payload == {"to": "ada"}

    async def test_a_payload_that_is_no_json_is_refused_before_it_is_sent(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        with pytest.raises(InvalidRequest, match="cannot be written as JSON"):
            await client.submit("email", {"at": float("nan")})
        assert server.calls == []

    async def test_an_answer_that_got_lost_makes_no_second_job(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        server.lost_answers = 2
        job = await client.submit("email")
        assert list(server.jobs) == [job.id]
        assert len({c.headers["idempotency-key"] for c in server.calls}) == 1
        assert len(server.calls) == 3

    @pytest.mark.parametrize("status", [429, 503])
    async def test_a_server_that_says_not_now_is_asked_again(
        self, client: AsyncClient, server: FakeServer, status: int
    ) -> None:
        server.refuse(status, AWAY, Retry_After="0").refuse(status, AWAY)
        assert (await client.submit("email")).status == "PENDING"
        assert len(server.calls) == 3

    async def test_a_wait_longer_than_the_budget_is_told_at_once(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        said = "Too many requests. Try again in 45 seconds."
        server.refuse(429, {"message": said, "code": "RATE_LIMITED"}, Retry_After="45")
        with pytest.raises(RateLimited) as caught:
            await client.submit("email")
        assert (caught.value.message, caught.value.retry_after) == (said, 45)

    async def test_a_wait_may_be_told_as_a_date(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        server.refuse(429, AWAY, Retry_After="Fri, 01 Jan 2100 00:00:00 GMT")
        with pytest.raises(RateLimited) as caught:
            await client.submit("email")
        assert caught.value.retry_after is not None
        assert caught.value.retry_after > 1e6

    async def test_two_submits_are_two_jobs(self, client: AsyncClient) -> None:
        one, two = await asyncio.gather(client.submit("email"), client.submit("email"))
        assert one.id != two.id

    async def test_a_batch_is_one_request(self, client: AsyncClient, server: FakeServer) -> None:
        jobs = await client.submit_batch([NewJob("email", {"n": 1}), NewJob("sms", tags=["a"])])
        assert [job.type for job in jobs] == ["email", "sms"]
        (call,) = server.calls
        assert call.body == {
            "jobs": [{"type": "email", "payload": {"n": 1}}, {"type": "sms", "tags": ["a"]}]
        }
        assert call.headers["idempotency-key"]

    async def test_a_bulk_change_whose_answer_got_lost_is_made_once(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        server.lost_answers = 2
        made = await client.bulk("retry", status="FAILED", tag="mail")
        assert (made.type, list(server.jobs)) == ("jobcast/bulk/retry", [made.id])
        assert server.jobs[made.id]["payload"] == {
            "action": "retry",
            "filter": {"status": "FAILED", "tag": "mail"},
        }
        assert len({call.headers["idempotency-key"] for call in server.calls}) == 1

    async def test_a_bulk_change_takes_a_key_that_is_known_later(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        one = await client.bulk("cancel", idempotency_key="clean-up")
        two = await client.bulk("cancel", idempotency_key="clean-up")
        assert one.id == two.id

    async def test_after_close_a_call_says_so(self, server: FakeServer) -> None:
        client = AsyncClient(server.url, KEY)
        await client.aclose()
        for call in (client.submit("email"), client.me()):
            with pytest.raises(ClientClosed, match="make a new one"):
                await call
        with pytest.raises(ClientClosed):
            await anext(client.watch("x"))


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, InvalidRequest),
            (401, Unauthorized),
            (403, Forbidden),
            (404, NotFound),
            (405, InvalidRequest),
            (409, Conflict),
            (413, InvalidRequest),
            (500, ServerError),
            (502, ServerError),
        ],
    )
    async def test_each_status_has_its_error(
        self, client: AsyncClient, server: FakeServer, status: int, kind: type[JobcastError]
    ) -> None:
        server.refuse(status, {"success": False, "message": "No", "code": "SOME_CODE"})
        with pytest.raises(kind) as caught:
            await client.submit("email")
        assert type(caught.value) is kind
        assert (caught.value.message, caught.value.code, caught.value.status) == (
            "No",
            "SOME_CODE",
            status,
        )

    async def test_a_validation_error_names_the_fields(self, client: AsyncClient) -> None:
        with pytest.raises(InvalidRequest) as caught:
            await client.submit("nobody")
        assert caught.value.errors == {"type": ["Unknown job type: nobody"]}
        assert str(caught.value) == "Validation error; type: Unknown job type: nobody"

    async def test_a_stranger_on_the_port_is_named_as_one(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        server.refusals.append(PlainTextResponse("<html>It works!</html>"))
        with pytest.raises(ServerError, match="is not a Jobcast server") as caught:
            await client.me()
        assert caught.value.code == "BAD_ANSWER"

    async def test_a_proxy_whose_backend_is_away_is_asked_again(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        server.refusals.append(PlainTextResponse("upstream", 503))
        assert (await client.me()).id == "u1"

    async def test_where_nothing_listens_it_is_unreachable(self) -> None:
        async with AsyncClient(f"http://127.0.0.1:{free_port()}", KEY, retry_for=0) as client:
            with pytest.raises(Unreachable, match="no server answers there"):
                await client.submit("email")

    async def test_a_call_that_may_have_had_its_effect_is_not_repeated(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        job_id = server.add_job(steps=FAILURE)
        server.lost_answers = 1
        with pytest.raises(Unreachable, match="lost before an answer"):
            await client.retry(job_id)
        assert len(server.calls) == 1

    async def test_without_credentials_none_are_sent(self, server: FakeServer) -> None:
        async with AsyncClient(server.url) as client:
            with pytest.raises(Unauthorized, match="Access token required"):
                await client.me()
        assert {"x-api-key", "authorization"}.isdisjoint(server.calls[0].headers)


class TestReading:
    async def test_get_answers_the_job(self, client: AsyncClient, server: FakeServer) -> None:
        job = await client.get(server.add_job(priority=7))
        assert (job.priority, job.created_at) == (7, datetime(2026, 11, 22, 10, tzinfo=UTC))

    async def test_an_unknown_job_is_not_found(self, client: AsyncClient) -> None:
        with pytest.raises(NotFound, match="Job not found"):
            await client.get("../jobs")

    async def test_a_list_is_typed_and_filtered(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        server.add_job()
        failed = server.add_job(steps=FAILURE)
        page = await client.list(status="FAILED", user_id="u1", tenant="t1", limit=5)
        assert [job.id for job in page] == [failed]
        assert (page.total, page.total_pages, page.has_next_page) == (1, 1, False)
        assert page.raw["meta"]["total"] == 1
        assert server.calls[0].query == {
            "status": "FAILED",
            "userId": "u1",
            "tenantId": "t1",
            "limit": "5",
        }

    async def test_logs_output_and_files_are_typed(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        job = await client.submit("demo")
        assert "reading" in [line.message for line in await client.logs(job.id)]
        pieces = [piece async for piece in client.output(job.id, after=2, attempt="all")]
        assert [piece.data for piece in pieces] == [{"token": "Hel"}, {"token": "lo"}]
        assert server.calls[-1].query == {"after": "2", "attempt": "all"}
        (file,) = await client.files(job.id)
        assert (file.name, file.size) == ("a b.txt", 5)
        assert await client.file(job.id, file.name) == b"bytes"

    async def test_a_long_log_and_long_output_are_read_to_their_end(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        steps: list[Step] = [("log", {"message": "x"}), ("output", {"data": 1})] * 1_001
        job_id = server.add_job(steps=steps)
        assert len(await client.logs(job_id)) == 1_002  # PENDING is the first line
        pieces = [piece async for piece in client.output(job_id)]
        assert len(pieces) == len({piece.seq for piece in pieces}) == 1_001

    async def test_a_file_is_written_whole_into_a_folder(
        self, client: AsyncClient, server: FakeServer, tmp_path: Path
    ) -> None:
        path = await client.download(server.add_job(), "a b.txt", tmp_path)
        assert (path, path.read_bytes()) == (tmp_path / "a b.txt", b"bytes")
        assert names_in(tmp_path) == ["a b.txt"]

    async def test_a_file_that_is_not_there_leaves_what_was(
        self, client: AsyncClient, server: FakeServer, tmp_path: Path
    ) -> None:
        target = tmp_path / "kept.txt"
        target.write_text("old")
        with pytest.raises(NotFound):
            await client.download(server.add_job(), "missing", target)
        assert (target.read_text(), names_in(tmp_path)) == ("old", ["kept.txt"])

    async def test_pages_are_read_by_cursor_to_the_last(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        ids = [server.add_job() for _ in range(5)]
        pages = [page async for page in client.pages(limit=2)]
        assert [[job.id for job in page] for page in pages] == [
            [ids[4], ids[3]],
            [ids[2], ids[1]],
            [ids[0]],
        ]

    async def test_health_needs_no_credentials(self, server: FakeServer) -> None:
        async with AsyncClient(server.url) as client:
            assert (await client.health()).status == "ok"


class TestWaiting:
    async def test_wait_answers_when_the_job_ends(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        job_id = server.add_job()
        waiting = asyncio.create_task(client.wait(job_id))
        await server.until(lambda fake: len(fake.calls) == 1)
        server.tell(job_id, ("done", {"result": 42}))
        assert (await waiting).result == 42

    async def test_wait_gives_up_after_its_time(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        with pytest.raises(TimeoutError, match=r"had not ended after 0.2 seconds"):
            await client.wait(server.add_job(), timeout=0.2)

    async def test_the_result_of_a_job_that_is_done(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        assert await client.result(server.add_job(steps=WORK)) == {"pages": 3}

    async def test_the_result_of_a_job_that_failed_is_an_error_that_has_the_job(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        job_id = server.add_job(steps=FAILURE)
        with pytest.raises(JobFailed, match="FAILED: the printer is on fire") as caught:
            await client.result(job_id)
        assert caught.value.job.id == job_id


class TestChanging:
    async def test_cancel_delete_and_retry(self, client: AsyncClient, server: FakeServer) -> None:
        pending = server.add_job()
        assert (await client.cancel(pending)).id == pending
        assert (await client.delete(pending)).status == "CANCELLED"
        assert (await client.retry(pending, {"n": 2})).payload == {"n": 2}

    async def test_a_step_that_the_state_forbids_is_an_invalid_request(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        done = server.add_job(steps=server.stories["demo"])
        with pytest.raises(InvalidRequest, match="status DONE") as caught:
            await client.delete(done)
        assert caught.value.code == "INVALID_OPERATION"


class TestAccounts:
    async def test_after_a_login_calls_carry_the_access_token(self, server: FakeServer) -> None:
        async with AsyncClient(server.url) as client:
            await client.login("ada@example.com", PASSWORD)
            assert (await client.me()).email == "ada@example.com"
        assert server.calls[-1].headers["authorization"] == "Bearer access-1"

    async def test_a_wrong_password_is_unauthorized(self, server: FakeServer) -> None:
        async with AsyncClient(server.url) as client:
            with pytest.raises(Unauthorized, match="Invalid email or password"):
                await client.login("ada@example.com", "wrong")

    async def test_an_expired_access_token_is_renewed_once_for_all(
        self, server: FakeServer
    ) -> None:
        async with AsyncClient(server.url) as client:
            await client.login("ada@example.com", PASSWORD)
            server.accepted.clear()
            await asyncio.gather(client.me(), client.me(), client.me())
        assert len(server.asked("POST", "/api/auth/refresh")) == 1

    async def test_a_login_that_has_ended_is_unauthorized(self, server: FakeServer) -> None:
        async with AsyncClient(server.url) as client:
            await client.login("ada@example.com", PASSWORD)
            server.accepted.clear()
            await client.me()  # renews the token; the fake renews only once
            server.accepted.clear()
            with pytest.raises(Unauthorized, match="Access token required"):
                await client.me()

    async def test_after_a_logout_the_key_is_used_again(self, server: FakeServer) -> None:
        async with AsyncClient(server.url, KEY) as client:
            await client.login("ada@example.com", PASSWORD)
            await client.logout()
            await client.logout()  # there is nothing left to end
            await client.me()
        assert server.calls[-1].headers["x-api-key"] == KEY
        assert len(server.asked("POST", "/api/auth/logout")) == 1

    async def test_keys_are_created_listed_and_revoked(self, client: AsyncClient) -> None:
        created = await client.keys_create("ci", scopes=["jobs:read"])
        assert created.key == "secret-of-key-1"
        assert [(key.name, key.key) for key in await client.keys_list()] == [("ci", None)]
        await client.keys_revoke(created.id)
        with pytest.raises(NotFound):
            await client.keys_revoke(created.id)

    async def test_all_keys_are_listed_over_any_number_of_pages(
        self, client: AsyncClient, server: FakeServer
    ) -> None:
        server.keys = {f"key-{n}": {"id": f"key-{n}"} for n in range(201)}
        assert len(await client.keys_list()) == 201
