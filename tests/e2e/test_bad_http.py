"""Bad requests over a real socket: each a clear refusal, and the server goes on as before."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from tests.e2e.api import Api, new_account
from tests.e2e.raw import exchange, hang_up, request
from tests.e2e.server import DevServer

JSON: Final = {"Content-Type": "application/json"}
MIB: Final = 1024 * 1024


@pytest.fixture(autouse=True)
async def unharmed(starter: DevServer) -> AsyncIterator[None]:
    """After each test a good client is served, and the log knows of no new bug."""
    before = len(starter.faults())
    yield
    async with Api(starter.url, key=starter.key) as api:
        await api.run("sleep", {"delayMs": 0})
    assert starter.faults()[before:] == []


def nested(depth: int) -> str:
    return '{"type":"t","payload":{"a":' + "[" * depth + "]" * depth + "}}"


BODIES: Final = {
    "nothing": ("", 400),
    "no JSON": ("hello", 400),
    "half of it": ('{"type": "sleep", "payload": {', 400),
    "two documents": ("{}{}", 400),
    "a comment": ('{"type":"sleep"} // x', 400),
    "single quotes": ("{'type': 'sleep'}", 400),
    "NaN": ('{"type":"sleep","payload":{"a":NaN}}', 400),
    "not UTF-8": (b'{"type":"\xff\xfe"}', 400),
    "UTF-16": ('{"type":"sleep"}'.encode("utf-16"), 400),
    "a lone surrogate as type": (r'{"type":"\ud800"}', 400),
    "a list": ("[]", 400),
    "null": ("null", 400),
    "a number": ("7", 400),
    "no type": ("{}", 400),
    "type null": ('{"type":null}', 400),
    "type a number": ('{"type":7}', 400),
    "type empty": ('{"type":""}', 400),
    "type with a space": ('{"type":"a b"}', 400),
    "type with a newline": ('{"type":"a\\n"}', 400),
    "type too long": (json.dumps({"type": "x" * 101}), 400),
    "unknown field": ('{"type":"t","colour":"red"}', 400),
    "payload a list": ('{"type":"t","payload":[]}', 400),
    "payload a text": ('{"type":"t","payload":"{}"}', 400),
    "payload null": ('{"type":"t","payload":null}', 400),
    "payload that does not fit its type": ('{"type":"sleep","payload":{"delayMs":"long"}}', 400),
    "payload out of range": ('{"type":"sleep","payload":{"delayMs":-1}}', 400),
    "priority a text": ('{"type":"t","priority":"high"}', 400),
    "priority out of range": ('{"type":"t","priority":101}', 400),
    "priority a fraction": ('{"type":"t","priority":1.5}', 400),
    "priority huge": ('{"type":"t","priority":1e400}', 400),
    "priority of many digits": ('{"type":"t","priority":' + "9" * 5000 + "}", 400),
    "delay negative": ('{"type":"t","delayMs":-1}', 400),
    "delay of ages": ('{"type":"t","delayMs":99999999999999}', 400),
    "both times": ('{"type":"t","delayMs":1,"runAt":"2030-01-01T00:00:00Z"}', 400),
    "no time": ('{"type":"t","runAt":"tomorrow"}', 400),
    "a time without zone": ('{"type":"t","runAt":"2030-01-01T00:00:00"}', 400),
    "a time out of range": ('{"type":"t","runAt":"9999-12-31T23:59:59-14:00"}', 400),
    "no attempts": ('{"type":"t","maxAttempts":0}', 400),
    "tags a text": ('{"type":"t","tags":"a"}', 400),
    "too many tags": (json.dumps({"type": "t", "tags": [str(n) for n in range(21)]}), 400),
    "webhook no URL": ('{"type":"t","webhookUrl":"here"}', 400),
    "webhook a file": ('{"type":"t","webhookUrl":"file:///etc/passwd"}', 400),
    "webhook with a password": ('{"type":"t","webhookUrl":"http://a:b@c/"}', 400),
    "webhook with a newline": ('{"type":"t","webhookUrl":"http://a/\\nb"}', 400),
    "another tenant": ('{"type":"t","tenantId":"somebody-else"}', 403),
    "deep nesting": (nested(5_000), 400),
    "deepest nesting": (nested(100_000), 400),
    "payload too large": (json.dumps({"type": "t", "payload": {"a": "x" * 262_144}}), 413),
    "body too large": (json.dumps({"type": "t", "payload": {"a": "x" * MIB}}), 413),
}


@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES.keys())
async def test_a_bad_body_is_refused(starter: DevServer, body: str | bytes, status: int) -> None:
    account = await _someone(starter)
    async with Api(starter.url, key=account) as api:
        answer = await api.http.post("/api/jobs", content=body, headers=JSON)
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert said["success"] is False
    assert said["message"] and said["code"]
    assert "Traceback" not in answer.text


_KEYS: Final[dict[str, str]] = {}


async def _someone(server: DevServer) -> str:
    """The key of a user who is no service; the same one for all these tests."""
    if server.url not in _KEYS:
        _KEYS[server.url] = (await new_account(server)).key
    return _KEYS[server.url]


@pytest.mark.parametrize(
    "payload",
    [
        r'{"a":"\u0000"}',
        '{"a":1e200000}',
        '{"a":' + "9" * 4000 + "}",
        '{"a":1.0,"b":-0.0,"\\u00e9":"\\ud83d\\ude00"}',
        '{"a":' + "[" * 50 + "]" * 50 + "}",
    ],
    ids=["NUL", "beyond a double", "a long number", "escapes", "some nesting"],
)
async def test_odd_but_right_payloads_come_back_as_they_were(
    starter: DevServer, payload: str
) -> None:
    async with Api(starter.url, key=starter.key) as api:
        body = f'{{"type":"t","delayMs":3600000,"payload":{payload}}}'
        answer = await api.http.post("/api/jobs", content=body, headers=JSON)
        assert answer.status_code == 201, answer.text
        answer = await api.http.get(answer.headers["location"])
    assert f'"payload":{payload}' in answer.text


async def test_a_submission_names_the_field_at_fault(starter: DevServer) -> None:
    async with Api(starter.url, key=starter.key) as api:
        for body, field in (
            ({"type": 7}, "type"),
            ({"type": "t", "colour": "red"}, "colour"),
            ({"type": "t", "tags": ["a", 7]}, "tags[1]"),
            ({"type": "sleep", "payload": {"delayMs": "long"}}, "payload.delayMs"),
        ):
            answer = await api.http.post("/api/jobs", json=body)
            assert (answer.status_code, answer.json()["message"]) == (400, "Validation error")
            assert list(answer.json()["errors"]) == [field]
        batch = {"jobs": [{"type": "t"}, {"type": "a b"}]}
        answer = await api.http.post("/api/jobs/batch", json=batch)
        assert list(answer.json()["errors"]) == ["jobs[1].type"]


async def test_registrations_are_checked_field_by_field(starter: DevServer) -> None:
    async with Api(starter.url) as api:
        answer = await api.http.post(
            "/api/auth/register", json={"email": "ada", "password": "short"}
        )
        assert answer.status_code == 400
        assert answer.json()["message"] == "Validation error"
        assert answer.json()["errors"] == {
            "email": ["Invalid email format"],
            "password": ["Password must be at least 8 characters"],
        }
        for path in ("register", "login", "refresh", "logout"):
            for body in ("", "[]", '{"email":{}}', "null", '{"refreshToken":7}', nested(50_000)):
                answer = await api.http.post(f"/api/auth/{path}", content=body, headers=JSON)
                assert answer.status_code in (400, 413), (path, body[:20], answer.text)


OTHER: Final = [
    ("POST", "/api/jobs", {"Content-Type": "text/plain"}, "{}", 415),
    ("POST", "/api/jobs", {"Content-Type": "application/x-www-form-urlencoded"}, "type=t", 415),
    ("POST", "/api/jobs", {**JSON, "Idempotency-Key": "x" * 256}, '{"type":"t"}', 400),
    ("PUT", "/api/jobs", JSON, "{}", 405),
    ("PATCH", "/api/jobs/x", JSON, "{}", 405),
    ("DELETE", "/api/jobs", {}, "", 405),
    ("BREW", "/api/jobs", {}, "", 400),
    ("GET", "/api/nothing", {}, "", 404),
    ("GET", "/api", {}, "", 404),
    ("GET", "/api/jobs/", {}, "", 404),
    ("GET", "/../../etc/passwd", {}, "", 404),
    ("GET", "/%2e%2e/%2e%2e/etc/passwd", {}, "", 404),
    ("GET", "/api/jobs/%00", {}, "", 404),
    ("GET", "/api/jobs/%ff%fe", {}, "", 404),
    ("GET", "/api/jobs/" + "x" * 5000, {}, "", 404),
    ("GET", "/api/jobs/no-such-job", {}, "", 404),
    ("GET", "/api/jobs/01890000-0000-7000-8000-000000000000", {}, "", 404),
    ("DELETE", "/api/jobs/no-such-job", {}, "", 404),
    ("POST", "/api/jobs/no-such-job/cancel", JSON, "", 404),
    ("POST", "/api/jobs/no-such-job/retry", JSON, "", 404),
    ("POST", "/api/jobs/no-such-job/tokens", JSON, "", 404),
    ("GET", "/api/jobs/no-such-job/logs", {}, "", 404),
    ("GET", "/api/jobs/no-such-job/output", {}, "", 404),
    ("GET", "/api/jobs/no-such-job/files", {}, "", 404),
    ("GET", "/api/jobs/no-such-job/files/a", {}, "", 404),
    ("GET", "/api/jobs/no-such-job/events", {}, "", 404),
    ("GET", "/api/jobs/no-such-job/webhook-logs", {}, "", 404),
    ("DELETE", "/api/api-keys/no-such-key", {}, "", 404),
    ("GET", "/api/jobs?page=0", {}, "", 400),
    ("GET", "/api/jobs?page=-1", {}, "", 400),
    ("GET", "/api/jobs?page=99999999999999999999", {}, "", 400),
    ("GET", "/api/jobs?limit=101", {}, "", 400),
    ("GET", "/api/jobs?limit=ten", {}, "", 400),
    ("GET", "/api/jobs?limit=%C2%B2", {}, "", 400),
    ("GET", "/api/jobs?status=RUNNING", {}, "", 400),
    ("GET", "/api/jobs?sort=type", {}, "", 400),
    ("GET", "/api/jobs/x?wait=61", {}, "", 400),
    ("GET", "/api/jobs/x?wait=NaN", {}, "", 400),
    ("POST", "/api/jobs/batch", JSON, '{"jobs":[]}', 400),
    ("POST", "/api/jobs/batch", JSON, '{"jobs":[{"type":"t"},{"type":"a b"}]}', 400),
    ("POST", "/api/jobs/batch", JSON, json.dumps({"jobs": [{"type": "t"}] * 1001}), 400),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "status"), OTHER)
async def test_whatever_is_wrong_has_its_status(
    starter: DevServer, method: str, path: str, headers: dict[str, str], body: str, status: int
) -> None:
    data = request(method, path, {"X-API-Key": starter.key, **headers}, body.encode())
    assert await exchange(starter, data) == [status]


@pytest.mark.parametrize("query", ["q", "type", "queue", "tag", "userId"])
async def test_odd_filters_find_nothing(starter: DevServer, query: str) -> None:
    async with Api(starter.url, key=(await new_account(starter)).key) as api:
        for value in ("%00", "%ff", "%25_%25", "'%20OR%201=1--", "x" * 3000, "%F0%9F%98%80"):
            answer = await api.http.get(f"/api/jobs?{query}={value}")
            assert answer.status_code in (200, 400), answer.text
            assert answer.json().get("data", []) == []


async def test_illegal_steps_are_refused_and_change_nothing(starter: DevServer) -> None:
    async with Api(starter.url, key=starter.key) as api:
        done = await api.run("sleep", {"delayMs": 0})
        path = f"/api/jobs/{done['id']}"
        for method, there, said in (
            ("DELETE", path, "Cannot cancel job with status DONE. Only PENDING"),
            ("POST", f"{path}/cancel", "Cannot cancel job with status DONE. Only PENDING or"),
            ("POST", f"{path}/retry", "Cannot retry job with status DONE. Only FAILED or"),
        ):
            answer = await api.http.request(method, there)
            assert answer.status_code == 400
            assert answer.json()["message"].startswith(said)
        assert await api.job(done["id"]) == done


async def test_what_belongs_to_others_does_not_exist(starter: DevServer) -> None:
    owner, other = await new_account(starter), await new_account(starter)
    async with Api(starter.url, key=owner.key) as mine, Api(starter.url, key=other.key) as theirs:
        job = await mine.submit("generate-report", delayMs=3_600_000)
        path = f"/api/jobs/{job['id']}"
        tries: list[tuple[str, str]] = [
            ("GET", path),
            ("GET", f"{path}?wait=1"),
            ("DELETE", path),
            *(("POST", f"{path}/{verb}") for verb in ("cancel", "retry", "tokens")),
            *(
                ("GET", f"{path}/{part}")
                for part in ("logs", "output", "files", "files/a", "events", "webhook-logs")
            ),
        ]
        for method, there in tries:
            answer = await theirs.http.request(method, there)
            assert (answer.status_code, answer.json()["message"]) == (404, "Job not found"), there
        for query in (f"q={job['id']}", f"userId={owner.id}"):
            assert await theirs.get(f"/api/jobs?{query}") == []
        answer = await theirs.http.get(f"/api/jobs?tenantId={owner.tenant_id}")
        assert answer.status_code == 403
        assert await mine.job(job["id"]) == job


async def test_an_oversized_body_is_refused_however_it_comes(starter: DevServer) -> None:
    big = b'{"type":"t","payload":{"a":"' + b"x" * (2 * MIB) + b'"}}'
    key = {"X-API-Key": starter.key, **JSON}
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part)
        for part in (big[start : start + 65_536] for start in range(0, len(big), 65_536))
    )
    chunked = {**key, "Transfer-Encoding": "chunked"}
    for data in (
        request("POST", "/api/jobs", key, big),
        request("POST", "/api/jobs", chunked, chunks + b"0\r\n\r\n"),
        request("POST", "/api/auth/login", JSON, big),
        request("POST", "/api/jobs", {**key, "Content-Length": "99999999999"}, big),
    ):
        # Reset where the server hangs up before it has read what nobody wants.
        assert await exchange(starter, data) in ([413], [])
    # Said to be too large: refused before anything of it comes.
    told = request("POST", "/api/jobs", {**key, "Content-Length": str(len(big))})
    assert await exchange(starter, told) == [413]


GARBAGE: Final = {
    "random bytes": random.Random(1).randbytes(5000) + b"\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9": b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    "a space in the path": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a header without colon": b"GET / HTTP/1.1\r\nHost a\r\n\r\n",
    "a header with NUL": b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "length no number": request("POST", "/api/jobs", {"Content-Length": "ten"}, b"{}"),
    "length negative": request("POST", "/api/jobs", {"Content-Length": "-5"}, b"{}"),
    "length beyond all": request("POST", "/api/jobs", {"Content-Length": "9" * 40}, b"{}"),
    "two lengths": request(
        "POST", "/api/jobs", {"Content-Length": "2", "content-length": "7"}, b"{}"
    ),
    "length and chunks": request(
        "POST",
        "/api/jobs",
        {"Content-Length": "2", "Transfer-Encoding": "chunked"},
        b"0\r\n\r\n",
    ),
    "bad chunk size": request("POST", "/api/jobs", {"Transfer-Encoding": "chunked"}, b"zz\r\n"),
    "chunk size beyond all": request(
        "POST", "/api/jobs", {"Transfer-Encoding": "chunked"}, b"f" * 40 + b"\r\n"
    ),
    "an unknown encoding": request("POST", "/api/jobs", {"Transfer-Encoding": "gzip"}, b"{}"),
    "a huge address": request("GET", "/" + "x" * MIB),
    "an upgrade to nothing": request(
        "GET", "/ws", {"Connection": "Upgrade", "Upgrade": "websocket"}
    ),
    "an upgrade with a bad key": request(
        "GET",
        "/ws",
        {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "short",
        },
    ),
    "an upgrade of another version": request(
        "GET",
        "/ws",
        {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "8",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        },
    ),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
async def test_broken_framing_is_refused_or_hung_up_on(starter: DevServer, data: bytes) -> None:
    statuses = await exchange(starter, data)
    assert all(400 <= status < 500 for status in statuses), statuses


async def test_clients_that_go_away_leave_no_trace(starter: DevServer) -> None:
    body = b'{"type":"t","delayMs":3600000}'
    whole = request("POST", "/api/jobs", {"X-API-Key": starter.key, **JSON}, body)
    for cut in (1, 10, len(whole) - len(body), len(whole) - 1, len(whole)):
        await hang_up(starter, whole[:cut])
    async with Api(starter.url, key=starter.key) as api:
        job = await api.submit("t", delayMs=3_600_000)
    for path in (f"/api/jobs/{job['id']}?wait=60", f"/api/jobs/{job['id']}/events"):
        await hang_up(starter, request("GET", path, {"X-API-Key": starter.key}))


async def test_requests_in_one_packet_are_answered_in_order(starter: DevServer) -> None:
    keep: dict[str, str] = {"X-API-Key": starter.key, "Connection": "keep-alive"}
    data = (
        request("GET", "/health", keep)
        + request("POST", "/api/jobs", {**keep, **JSON}, b"{")
        + request("GET", "/api/nothing")
    )
    assert await exchange(starter, data) == [200, 400, 404]


async def test_errors_never_show_a_trace_or_a_secret(starter: DevServer) -> None:
    secrets: list[Any] = ["X-Secret-Value", starter.key]
    async with Api(starter.url, key=starter.key) as api:
        answer = await api.http.post(
            "/api/jobs", content="{", headers={**JSON, "X-Secret-Value": "1"}
        )
    assert not any(secret in answer.text for secret in secrets)
    assert "server" not in answer.headers
