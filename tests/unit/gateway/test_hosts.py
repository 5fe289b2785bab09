"""Which Host headers are answered: DNS rebinding ends here."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs
from tests.unit.services.world import settings

from jobcast.gateway.hosts import REFUSED, HostGuard, Hosts
from jobcast.runtime import audit


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:3000", "LOCALHOST", "localhost.", "app.localhost:3000",
        "127.0.0.1", "127.0.0.1:3000", "[::1]", "[::1]:3000", "192.168.1.7:3000",
    ],
)  # fmt: skip
def test_in_development_names_that_no_stranger_can_have_are_answered(host: str) -> None:
    assert Hosts(settings(env="development")).allow(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:3000", "localhost.evil.example", "127.0.0.1.evil.example",
        "notlocalhost", "", None, "[evil", "localhost@evil.example", "::1",
    ],
)  # fmt: skip
def test_in_development_all_others_are_refused(host: str | None) -> None:
    assert not Hosts(settings(env="development")).allow(host)


def test_names_that_the_settings_know_are_answered() -> None:
    hosts = Hosts(
        settings(
            env="development",
            allowed_hosts="jobs.test,*.apps.test",
            allowed_origins="https://page.test:8443",
            public_url="https://public.test/jobs",
        )
    )
    for host in ("jobs.test", "a.apps.test:80", "page.test", "public.test", "localhost"):
        assert hosts.allow(host), host
    for host in ("other.test", "apps.test", "xapps.test"):
        assert not hosts.allow(host), host


def test_production_answers_to_any_name_until_some_are_listed() -> None:
    assert Hosts(settings(env="production")).allow("whatever.example")
    listed = Hosts(settings(env="production", allowed_hosts="jobs.example.com"))
    assert listed.allow("jobs.example.com")
    assert not listed.allow("whatever.example")


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def test_another_name_gets_a_403_that_says_what_to_do() -> None:
    guard = HostGuard(_app, settings(env="development"))
    transport = httpx2.ASGITransport(guard)
    async with httpx2.AsyncClient(transport=transport) as client:
        assert (await client.get("http://localhost:3000/")).status_code == 204
        answer = await client.get("http://evil.example/")
    assert (answer.status_code, answer.json()["message"]) == (403, REFUSED)
    assert answer.json()["code"] == "HOST_NOT_ALLOWED"


@pytest.mark.parametrize("headers", [[(b"host", b"evil.example")], [], [(b"host", b"a")] * 2])
async def test_a_socket_by_another_name_is_refused_before_it_opens(headers: list[Any]) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    guard = HostGuard(_app, settings(env="development"))
    await guard({"type": "websocket", "headers": headers}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_names_that_are_refused_are_audited() -> None:
    audit._told.clear()
    guard = HostGuard(_app, settings(env="development"))
    transport = httpx2.ASGITransport(guard, client=("203.0.113.9", 5000))
    async with httpx2.AsyncClient(transport=transport) as client:
        with capture_logs() as logs:
            await client.get("http://localhost/")
            await client.get("http://evil.example/?token=secret")

    [line] = logs
    assert (line["event"], line["host"]) == ("host refused", "evil.example")
    assert (line["log"], line["address"]) == ("audit", "203.0.113.9")
    assert "secret" not in str(logs)
