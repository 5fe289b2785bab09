"""Garbage on WebSockets: closed or answered by the book, and the server goes on as before."""

from __future__ import annotations

import asyncio
import json
import random
import struct
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from tests.e2e.api import WITHIN, Api, socket
from tests.e2e.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    frame,
    head,
    raw_socket,
)
from tests.e2e.server import DevServer
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

KIB_64: Final = 65_536


@pytest.fixture(autouse=True)
async def unharmed(starter: DevServer) -> AsyncIterator[None]:
    """After each test a good client is served, and the log knows of no new bug."""
    before = len(starter.faults())
    yield
    async with socket(starter, key=starter.key) as good:
        await good.send(type="submit", job={"type": "sleep", "payload": {"delayMs": 0}})
        assert (await good.end())[-1]["type"] == "job:done"
    assert starter.faults()[before:] == []


PING_TEXT: Final = b'{"type":"ping"}'
CRUMBS: Final = [
    frame(TEXT, b"x" * 10_000, fin=False),
    *(frame(CONTINUATION, b"x" * 10_000, fin=False) for _ in range(8)),
]

BROKEN: Final[dict[str, tuple[bytes, set[int | None]]]] = {
    "not masked": (frame(TEXT, PING_TEXT, masked=False), {1002}),
    "reserved bits": (frame(TEXT, PING_TEXT, bits=0b100), {1002}),
    "an unknown opcode": (frame(0x3, PING_TEXT), {1002}),
    "an unknown control opcode": (frame(0xB), {1002}),
    "a continuation of nothing": (frame(CONTINUATION, PING_TEXT), {1002}),
    "a text within a text": (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), {1002}),
    "a ping too long": (frame(PING, b"x" * 126), {1002}),
    "a ping in pieces": (frame(PING, b"x", fin=False), {1002}),
    "a close of one byte": (frame(CLOSE, b"\x03"), {1002}),
    "a close with a forbidden code": (frame(CLOSE, struct.pack("!H", 1005)), {1002}),
    "a close with a reason that is no text": (
        frame(CLOSE, struct.pack("!H", 1000) + b"\xff"),
        {1002, 1007},
    ),
    "no UTF-8": (frame(TEXT, b'{"type":"\xff"}'), {1007}),
    "half a character": (frame(TEXT, b'"\xc5'), {1007}),
    "a surrogate": (frame(TEXT, b'"\xed\xa0\x80"'), {1007}),
    "no UTF-8 in pieces": (
        frame(TEXT, b'"\xc5', fin=False) + frame(CONTINUATION, b"x"),
        {1007},
    ),
    "a length beyond all": (head(TEXT, (1 << 63) - 1), {1002, 1009}),
    "a length with its top bit": (head(TEXT, (1 << 64) - 1), {1002, 1009}),
    "a giant": (head(TEXT, 1 << 40), {1009}),
    "one byte too many": (frame(TEXT, b" " * (KIB_64 + 1)), {1009}),
    "too much binary": (frame(BINARY, bytes(KIB_64 + 1)), {1009}),
    "too much in pieces": (b"".join(CRUMBS), {1009}),
    "random bytes": (random.Random(7).randbytes(3000), {1002, 1007, 1009, None}),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", {1002}),
}


@pytest.mark.parametrize(("data", "codes"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_frame_closes_its_socket(
    starter: DevServer, data: bytes, codes: set[int | None]
) -> None:
    async with raw_socket(starter) as raw:
        await raw.send(data)
        assert await raw.closed() in codes


async def test_an_honest_message_may_come_in_pieces(starter: DevServer) -> None:
    async with raw_socket(starter) as raw:
        first, *rest = (PING_TEXT[n : n + 1] for n in range(len(PING_TEXT)))
        await raw.send(frame(TEXT, first, fin=False))
        for piece in rest:
            await raw.send(frame(CONTINUATION, piece, fin=False))
        await raw.send(frame(CONTINUATION))
        assert json.loads(await raw.text()) == {"type": "pong"}


async def test_sockets_that_break_off_leave_no_trace(starter: DevServer) -> None:
    for data in (b"", head(TEXT, 1000), head(TEXT, 1000) + b"{", frame(CLOSE), CRUMBS[0]):
        async with raw_socket(starter) as raw:
            await raw.send(data)
            raw.abort()
    # In the middle of an answer, too.
    submit = json.dumps({"type": "submit", "job": {"type": "stream-text", "payload": {}}}).encode()
    async with raw_socket(starter) as raw:
        await raw.send(frame(TEXT, submit))
        raw.abort()


MESSAGES: Final[dict[str, tuple[str | bytes, str]]] = {
    "no JSON": ("hello", "INVALID_JSON"),
    "nothing": ("", "INVALID_JSON"),
    "binary": (b'{"type":"ping"}', "BINARY_REFUSED"),
    "a list": ("[]", "VALIDATION_ERROR"),
    "null": ("null", "VALIDATION_ERROR"),
    "no type": ("{}", "VALIDATION_ERROR"),
    "type a number": ('{"type":7}', "VALIDATION_ERROR"),
    "an unknown type": ('{"type":"dance"}', "UNKNOWN_COMMAND"),
    "an unknown field": ('{"type":"ping","loud":true}', "VALIDATION_ERROR"),
    "an id that is an object": ('{"type":"ping","id":{}}', "VALIDATION_ERROR"),
    "nesting": ('{"type":"publish","channel":"a","data":' + "[" * 30_000, "INVALID_JSON"),
    "subscribe to nothing": ('{"type":"subscribe"}', "VALIDATION_ERROR"),
    "subscribe to an unknown job": ('{"type":"subscribe","jobId":"x"}', "NOT_FOUND"),
    "subscribe with NUL": ('{"type":"subscribe","jobId":"\\u0000"}', "NOT_FOUND"),
    "subscribe with a surrogate": ('{"type":"subscribe","jobId":"\\ud800"}', "INVALID_JSON"),
    "after a text": ('{"type":"subscribe","jobId":"x","after":"1"}', "VALIDATION_ERROR"),
    "after negative": ('{"type":"subscribe","jobId":"x","after":-1}', "VALIDATION_ERROR"),
    "after huge": ('{"type":"subscribe","jobId":"x","after":1e99}', "VALIDATION_ERROR"),
    "cancel of an unknown job": ('{"type":"cancel","jobId":"x"}', "NOT_FOUND"),
    "submit without a job": ('{"type":"submit"}', "VALIDATION_ERROR"),
    "submit of no job": ('{"type":"submit","job":7}', "VALIDATION_ERROR"),
    "submit of a bad type": ('{"type":"submit","job":{"type":"a b"}}', "VALIDATION_ERROR"),
    "submit with a bad payload": (
        '{"type":"submit","job":{"type":"sleep","payload":{"delayMs":"x"}}}',
        "VALIDATION_ERROR",
    ),
    "a tenant's cursor that is none": (
        '{"type":"subscribe","tenantId":"local","after":"zzz"}',
        "VALIDATION_ERROR",
    ),
    "auth with nothing": ('{"type":"auth"}', "VALIDATION_ERROR"),
    "auth with a bad token": ('{"type":"auth","token":"x"}', "UNAUTHORIZED"),
}


@pytest.mark.parametrize(("message", "code"), MESSAGES.values(), ids=MESSAGES.keys())
async def test_a_bad_message_gets_an_error_and_no_close(
    starter: DevServer, message: str | bytes, code: str
) -> None:
    async with socket(starter, key=starter.key) as opened:
        await opened.connection.send(message)
        error = await opened.receive()
        assert (error["type"], error["code"], error["temporary"]) == ("error", code, False), error
        await opened.send(type="ping", id="still here")
        assert await opened.receive() == {"type": "pong", "id": "still here"}


async def test_a_flood_of_bad_messages_is_closed(starter: DevServer) -> None:
    async with socket(starter, key=starter.key) as opened:
        assert await _close_code(opened.connection, ["?"] * 60) == 3501


async def test_more_subscriptions_than_allowed_are_refused(starter: DevServer) -> None:
    async with Api(starter.url, key=starter.key) as api:
        bodies = [{"type": "t", "delayMs": 3_600_000}] * 129
        jobs = await api.post("/api/jobs/batch", {"jobs": bodies}, status=201)
    async with socket(starter, key=starter.key) as opened:
        answers = []
        for job in jobs:
            await opened.send(type="subscribe", jobId=job["id"])
            answers.append((await opened.receive())["type"])
    assert answers == ["subscribed"] * 128 + ["error"]


async def test_a_client_without_credentials_gets_nothing(starter: DevServer) -> None:
    async with connect(starter.ws, proxy=None) as connection:
        for command in ({"type": "ping"}, {"type": "submit", "job": {"type": "t"}}):
            await connection.send(json.dumps(command))
        async with asyncio.timeout(WITHIN):
            said = json.loads(await connection.recv())
            assert (said["type"], said["code"]) == ("error", "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("path", "origin", "status"),
    [
        ("/nowhere", None, 404),
        ("/api/jobs", None, 404),
        ("/ws", "https://evil.example", 403),
        ("/ws", "null", 403),
    ],
)
async def test_a_handshake_that_is_not_for_us_is_refused(
    starter: DevServer, path: str, origin: Any, status: int
) -> None:
    address = starter.ws.removesuffix("/ws") + path
    with pytest.raises(InvalidStatus) as refusal:
        async with connect(address, origin=origin, proxy=None):
            pass
    assert refusal.value.response.status_code == status
    assert json.loads(refusal.value.response.body or b"")["success"] is False


async def _close_code(connection: Any, messages: list[str]) -> int:
    with pytest.raises(ConnectionClosed) as closing:
        async with asyncio.timeout(WITHIN):
            for message in messages:
                await connection.send(message)
            while True:
                await connection.recv()
    assert closing.value.rcvd is not None
    return closing.value.rcvd.code
