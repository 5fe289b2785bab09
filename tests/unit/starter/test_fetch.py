"""Every fetch is bounded, and says whether another attempt is worth it."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from functools import partial

import httpx2
import pytest
from tests.unit.starter.http_server import Answer, HttpServer

from jobcast import Fail, Retry
from jobcast.domain.addresses import NEARBY, PUBLIC
from jobcast.starter import fetch as fetching
from jobcast.starter.fetch import USER_AGENT, FetchError, require_success, retry_after

fetch = partial(fetching.fetch, reach=NEARBY)
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


async def test_an_answer_comes_with_status_type_and_text(web: HttpServer) -> None:
    headers = {"content-type": 'Text/HTML; charset="latin-1"'}
    url = web.on("/page", Answer(body="Grüße".encode("latin-1"), headers=headers))

    answer = await fetch(url, max_bytes=100)

    assert (answer.status, answer.content_type, answer.text()) == (200, "text/html", "Grüße")
    assert web.requests[0].headers["user-agent"] == USER_AGENT


@pytest.mark.parametrize("charset", ["", "; charset=klingon", "; charset=idna", "; charset="])
async def test_text_falls_back_to_utf_8(web: HttpServer, charset: str) -> None:
    url = web.on(
        "/t", Answer(body="ä\xff".encode(), headers={"content-type": f"text/plain{charset}"})
    )
    assert (await fetch(url, max_bytes=100)).text() == "äÿ"


async def test_a_body_that_is_too_large_fails(web: HttpServer) -> None:
    url = web.on("/big", Answer(body=b"x" * 1001))
    with pytest.raises(Fail, match="larger than 1,000 bytes"):
        await fetch(url, max_bytes=1000)


async def test_a_body_without_a_length_is_bounded_too(web: HttpServer) -> None:
    chunks = b"400\r\n" + b"x" * 0x400 + b"\r\n"
    url = web.on("/chunks", Answer(body=chunks * 50, headers={"transfer-encoding": "chunked"}))
    with pytest.raises(Fail, match="larger"):
        await fetch(url, max_bytes=2000)


async def test_a_body_counts_as_it_unpacks(web: HttpServer) -> None:
    packed = gzip.compress(b"\0" * 1_000_000)
    url = web.on("/bomb", Answer(body=packed, headers={"content-encoding": "gzip"}))
    with pytest.raises(Fail, match="larger"):
        await fetch(url, max_bytes=len(packed) * 2)


async def test_a_body_can_be_cut_instead(web: HttpServer) -> None:
    url = web.on("/big", Answer(body=b"x" * 1001))
    answer = await fetch(url, max_bytes=1000, cut=True)
    assert (len(answer.body), answer.truncated) == (1000, True)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/x",
        "example.com",
        "",
        "http://",
        "http://[::1",
        "//x",
    ],
)
async def test_only_http_and_https_with_a_host_are_fetched(url: str) -> None:
    with pytest.raises(Fail):
        await fetch(url, max_bytes=10)


async def test_a_redirect_is_an_answer_unless_redirects_are_asked_for(web: HttpServer) -> None:
    web.on("/there", Answer(body=b"here"))
    url = web.on("/moved", Answer(302, headers={"location": "/there"}))

    assert (await fetch(url, max_bytes=10)).status == 302
    assert (await fetch(url, max_bytes=10, redirects=1)).body == b"here"


async def test_a_circle_of_redirects_fails(web: HttpServer) -> None:
    url = web.on("/circle", Answer(302, headers={"location": "/circle"}))
    with pytest.raises(Fail, match="more than 3 redirects"):
        await fetch(url, max_bytes=10, redirects=3)


async def test_a_redirect_to_another_scheme_fails(web: HttpServer) -> None:
    url = web.on("/file", Answer(302, headers={"location": "file:///etc/passwd"}))
    with pytest.raises(Fail):
        await fetch(url, max_bytes=10, redirects=3)


async def test_each_redirect_passes_the_transport() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.host)
        return httpx2.Response(302, headers={"location": "http://inside.example/"})

    with pytest.raises(Fail):
        await fetch(
            "http://outside.example/",
            max_bytes=10,
            redirects=1,
            transport=httpx2.MockTransport(answer),
        )
    assert asked == ["outside.example", "inside.example"]


async def test_a_server_out_of_reach_is_worth_a_retry(deaf_port: int) -> None:
    with pytest.raises(FetchError) as failure:
        await fetch(f"http://127.0.0.1:{deaf_port}/token", max_bytes=10)
    assert str(failure.value).startswith(f"GET http://127.0.0.1:{deaf_port}: ")
    assert "token" not in str(failure.value)


async def test_an_address_with_a_password_is_refused_without_showing_it(deaf_port: int) -> None:
    with pytest.raises(Fail, match="a user name or password") as failure:
        await fetch(f"http://user:secret@127.0.0.1:{deaf_port}/token", max_bytes=10)
    assert "secret" not in str(failure.value)


async def test_what_is_out_of_reach_fails_at_once(web: HttpServer) -> None:
    url = web.on("/", Answer())
    with pytest.raises(Fail, match="address refused: not a public address"):
        await fetch(url, reach=PUBLIC, max_bytes=10)
    assert web.requests == []


async def test_a_redirect_to_what_is_out_of_reach_fails(web: HttpServer) -> None:
    url = web.on("/", Answer(302, headers={"location": "http://169.254.169.254/latest/meta-data"}))
    with pytest.raises(Fail, match="address refused"):
        await fetch(url, max_bytes=10, redirects=3)


async def test_a_silent_server_is_given_up_at_the_deadline(web: HttpServer) -> None:
    url = web.on("/silent", Answer(silent=True))
    with pytest.raises(FetchError, match="no answer in time"):
        await fetch(url, max_bytes=10, deadline=0.05)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_2xx_is_success(web: HttpServer, status: int) -> None:
    require_success(await fetch(web.on("/", Answer(status)), max_bytes=10))


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410, 422])
async def test_what_another_attempt_cannot_change_fails(web: HttpServer, status: int) -> None:
    answer = await fetch(web.on("/", Answer(status)), max_bytes=10)
    with pytest.raises(Fail, match=f"answered {status}"):
        require_success(answer)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_retried(web: HttpServer, status: int) -> None:
    answer = await fetch(web.on("/", Answer(status)), max_bytes=10)
    with pytest.raises(FetchError, match=f"answered {status}"):
        require_success(answer)


async def test_a_retry_comes_when_the_server_asks_for_it(web: HttpServer) -> None:
    url = web.on("/", Answer(503, headers={"retry-after": "17"}))
    answer = await fetch(url, max_bytes=10)
    with pytest.raises(Retry, match="answered 503") as retry:
        require_success(answer)
    assert retry.value.after == 17


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("0", 0),
        (" 30 ", 30),
        ("9" * 5000, 3600),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 12:01:00 -0000", 60),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 22 Nov 2099 11:00:00 GMT", 3600),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=NOW) == seconds
