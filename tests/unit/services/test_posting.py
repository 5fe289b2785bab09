"""Requests to a real receiver on the loopback, well-behaved and not."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator

import httpx2
import pytest
from tests.unit.services.receiver import Receiver, Reply

from jobcast.domain.addresses import NEARBY
from jobcast.domain.webhook import Answer
from jobcast.services.posting import KEPT, READ_LIMIT, Poster


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def posted(url: str, *, total: float = 15, connect: float = 5) -> Answer:
    async with Poster(reach=NEARBY, total_timeout=total, connect_timeout=connect) as post:
        return await post(url, body=b"{}", headers={})


async def failing(problem: Exception) -> Answer:
    """The answer when the way out of the house fails so."""

    async def fail(request: httpx2.Request) -> httpx2.Response:
        raise problem

    async with Poster(transport=httpx2.MockTransport(fail)) as post:
        return await post("https://example.test/hook", body=b"{}", headers={})


async def test_any_2xx_is_success_without_an_error(receiver: Receiver) -> None:
    receiver.script.extend([Reply("200 OK"), Reply("202 Accepted"), Reply("204 No Content")])

    answers = [await posted(receiver.url) for _ in range(3)]

    assert answers == [Answer(200), Answer(202), Answer(204)]
    assert all(answer.success for answer in answers)


async def test_a_refusal_is_told_by_its_reason_phrase(receiver: Receiver) -> None:
    receiver.script.append(Reply("429 Slow Down Please", {"Retry-After": "7"}))

    assert await posted(receiver.url) == Answer(429, "Slow Down Please", "7")


async def test_a_reason_phrase_is_cut_and_cleaned(receiver: Receiver) -> None:
    receiver.script.append(Reply("500 " + "no\t" + "o" * 1000))

    answer = await posted(receiver.url)

    assert answer.error == "no" + "o" * 198


async def test_a_status_without_a_phrase_is_told_by_its_number(receiver: Receiver) -> None:
    receiver.script.append(Reply(raw=b"HTTP/1.1 599 \r\ncontent-length: 0\r\n\r\n"))

    assert await posted(receiver.url) == Answer(599, "HTTP 599")


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.script.append(Reply("307 Temporary Redirect", {"Location": "/elsewhere"}))

    assert await posted(receiver.url) == Answer(307, "Temporary Redirect")
    assert [request.path for request in receiver.received] == ["/"]


async def test_cookies_of_a_receiver_are_forgotten(receiver: Receiver) -> None:
    receiver.script.append(Reply(headers={"Set-Cookie": "session=1; Path=/"}))

    async with Poster(reach=NEARBY) as post:
        for _ in range(2):
            await post(receiver.url, body=b"{}", headers={})

    assert "cookie" not in receiver.received[1].headers


async def test_connections_are_used_again(receiver: Receiver) -> None:
    async with Poster(reach=NEARBY) as post:
        for _ in range(3):
            await post(receiver.url, body=b"{}", headers={})

    assert receiver.accepted == 1


async def test_of_a_huge_answer_only_a_little_is_read(receiver: Receiver) -> None:
    receiver.script.append(Reply(body=b"x" * 200 * READ_LIMIT))

    answer = await posted(receiver.url)

    assert answer == Answer(200, body="x" * KEPT)


async def test_the_log_keeps_the_beginning_of_an_answer_as_text_that_any_database_takes(
    receiver: Receiver,
) -> None:
    bodies = [b"", "ä€".encode(), b"a\0b", b"\xff\xfe", "€".encode() * 1000]
    receiver.script.extend(Reply("500 No", body=body) for body in bodies)
    receiver.script.append(Reply("200 OK", {"Content-Encoding": "gzip"}, b"\x1f\x8b"))

    kept = [(await posted(receiver.url)).body for _ in range(len(bodies) + 1)]

    assert kept == [None, "ä€", "a\ufffdb", None, "€" * (KEPT // 3), None]


async def test_the_status_counts_though_the_rest_never_comes(receiver: Receiver) -> None:
    receiver.script.append(Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"))

    assert await posted(receiver.url) == Answer(200, body="short")


async def test_a_slow_receiver_times_out(receiver: Receiver) -> None:
    receiver.script.append(Reply(held=asyncio.Event()))

    assert await posted(receiver.url, total=0.05) == Answer(None, "timed out after 0.05 s")


async def test_what_speaks_no_http_is_no_answer(receiver: Receiver) -> None:
    receiver.script.append(Reply(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"))
    receiver.script.append(Reply(raw=b""))

    for _ in range(2):
        assert await posted(receiver.url) == Answer(None, "no valid HTTP answer")


async def test_an_endless_header_is_no_answer(receiver: Receiver) -> None:
    receiver.script.append(Reply(raw=b"HTTP/1.1 200 OK\r\nx: " + b"x" * 1_000_000))

    answer = await posted(receiver.url)

    assert answer.status_code is None


async def test_a_refused_connection_is_named() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        answer = await posted(f"http://127.0.0.1:{deaf.getsockname()[1]}/")

    assert answer == Answer(None, "connection refused")


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("ftp://example.test/", "address refused: only http and https are allowed"),
        ("//nowhere", "address refused: only http and https are allowed"),
        ("http://", "address refused: only http and https are allowed"),
        ("http://a:b/", "not a valid http or https address"),
    ],
)
async def test_an_address_that_is_none_is_named(url: str, cause: str) -> None:
    assert await posted(url) == Answer(None, cause)


@pytest.mark.parametrize(
    ("origin", "cause"),
    [
        (socket.gaierror(-2, "Name or service not known"), "name not resolved"),
        (ConnectionRefusedError(111, "no"), "connection refused"),
        (ConnectionResetError(104, "no"), "connection reset"),
        (ssl.SSLCertVerificationError("self-signed"), "certificate not valid"),
        (ssl.SSLError("wrong version number"), "TLS handshake failed"),
        (OSError(113, "No route to host"), "host unreachable"),
        (ExceptionGroup("tried", [ConnectionRefusedError(111, "no")]), "connection refused"),
    ],
)
async def test_the_cause_of_a_failed_connection_is_found(origin: Exception, cause: str) -> None:
    problem = httpx2.ConnectError("All connection attempts failed")
    problem.__cause__ = origin

    assert await failing(problem) == Answer(None, cause)


async def test_no_connection_in_time_is_named() -> None:
    assert await failing(httpx2.ConnectTimeout("")) == Answer(None, "no connection within 5 s")


async def test_a_guard_of_addresses_says_why_it_refused() -> None:
    answer = await failing(httpx2.ConnectError("address not public"))

    assert answer == Answer(None, "address not public")


async def test_a_failure_without_words_is_told_all_the_same() -> None:
    assert await failing(httpx2.ReadError("")) == Answer(None, "connection failed")
