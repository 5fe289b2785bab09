"""The server as it is configured: whose word about a client's address is taken."""

from __future__ import annotations

from typing import Any, cast

import pytest
from starlette.types import Message, Receive, Scope, Send
from tests.unit.services.world import settings

from jobcast.compose.serving import server_of
from jobcast.gateway.ws.sockets import Sockets


async def seen(client: str, headers: dict[str, str], **given: Any) -> tuple[str, str]:
    """The address and scheme that the application sees for a request from `client`."""
    found: list[tuple[str, str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append((scope["client"][0], scope["scheme"]))

    async def never() -> Message:
        raise AssertionError

    async def ignore(_: Message) -> None:
        return

    nobody = cast(Sockets, object())  # no socket is opened here
    _, config = server_of(settings(**given), app, nobody)
    config.load()
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "client": (client, 1),
        "scheme": "http",
        "path": "/",
        "headers": [(b"host", b"localhost"), *raw],
    }
    await config.loaded_app(scope, never, ignore)
    return found[0]


FORWARDED = {"x-forwarded-for": "203.0.113.9, 10.0.0.5", "x-forwarded-proto": "https"}


@pytest.mark.parametrize("client", ["127.0.0.1", "10.0.0.1", "198.51.100.1"])
async def test_nobody_is_believed_unless_named(client: str) -> None:
    assert await seen(client, FORWARDED) == (client, "http")


async def test_a_trusted_proxy_says_who_the_client_is() -> None:
    assert await seen("10.0.0.1", FORWARDED, trusted_proxies="10.0.0.0/8") == (
        "203.0.113.9",
        "https",
    )


async def test_others_are_not_believed_beside_it() -> None:
    assert await seen("198.51.100.1", FORWARDED, trusted_proxies="10.0.0.0/8") == (
        "198.51.100.1",
        "http",
    )


async def test_what_a_client_has_claimed_itself_is_passed_over() -> None:
    spoofed = {"x-forwarded-for": "127.0.0.1, 203.0.113.9"}
    assert (await seen("10.0.0.1", spoofed, trusted_proxies="10.0.0.0/8"))[0] == "203.0.113.9"
