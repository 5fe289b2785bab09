"""`http-request` and `webhook` call a URL and report what it answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.starter.http_server import Answer, HttpServer
from tests.unit.starter.run import Run, job

from jobcast import Fail
from jobcast.starter.fetch import FetchError
from jobcast.starter.http import HttpRequest, http_request


def request(**payload: Any) -> HttpRequest:
    return HttpRequest.model_validate(payload)


async def test_a_get_reports_status_and_body(run: Run, web: HttpServer) -> None:
    headers = {"content-type": "application/json"}
    url = web.on("/x", Answer(201, b'{"ok":true}', headers))

    result = await http_request(run.context("http-request"), request(url=url))

    assert result == {
        "statusCode": 201,
        "contentType": "application/json",
        "body": '{"ok":true}',
        "truncated": False,
    }
    assert web.requests[0].method == "GET"
    assert "answered 201" in run.logged


async def test_a_body_is_posted_as_json(run: Run, web: HttpServer) -> None:
    url = web.on("/x", Answer(204))

    result = await http_request(run.context(), request(url=url, body={"größe": [1, None]}))

    (asked,) = web.requests
    assert result == {"statusCode": 204, "contentType": None}
    assert (asked.method, asked.headers["content-type"]) == ("POST", "application/json")
    assert json.loads(asked.body) == {"größe": [1, None]}


async def test_text_is_sent_as_it_is_with_the_headers_given(run: Run, web: HttpServer) -> None:
    url = web.on("/x", Answer())
    headers = {"Content-Type": "text/csv", "X-Token": "abc"}

    await http_request(run.context(), request(url=url, method="put", body="a,b", headers=headers))

    (asked,) = web.requests
    assert (asked.method, asked.body) == ("PUT", b"a,b")
    assert (asked.headers["content-type"], asked.headers["x-token"]) == ("text/csv", "abc")


async def test_a_webhook_without_a_body_is_a_post(run: Run, web: HttpServer) -> None:
    url = web.on("/x", Answer())
    await http_request(run.context("webhook"), request(url=url))
    assert web.requests[0].method == "POST"


async def test_what_changes_something_carries_the_id_of_the_job(run: Run, web: HttpServer) -> None:
    url = web.on("/x", Answer())
    await http_request(run.context(), request(url=url, method="DELETE"))
    await http_request(run.context(), request(url=url, method="GET"))
    await http_request(
        run.context(), request(url=url, method="POST", headers={"idempotency-KEY": "mine"})
    )
    keys = [asked.headers.get("idempotency-key") for asked in web.requests]
    assert keys == [job().id, None, "mine"]


async def test_a_long_answer_is_shown_up_to_2_kib(run: Run, web: HttpServer) -> None:
    url = web.on("/x", Answer(body=b"y" * 5000, headers={"content-type": "text/plain"}))
    result = await http_request(run.context(), request(url=url))
    assert (result["body"], result["truncated"]) == ("y" * 2048, True)


async def test_bytes_are_not_shown(run: Run, web: HttpServer) -> None:
    url = web.on("/x", Answer(body=b"\x89PNG", headers={"content-type": "image/png"}))
    assert "body" not in await http_request(run.context(), request(url=url))


async def test_a_redirect_is_not_followed(run: Run, web: HttpServer) -> None:
    url = web.on("/x", Answer(307, headers={"location": "/y"}))
    with pytest.raises(Fail, match="answered 307"):
        await http_request(run.context(), request(url=url))
    assert len(web.requests) == 1


async def test_404_fails_and_500_is_retried(run: Run, web: HttpServer) -> None:
    with pytest.raises(Fail, match="404"):
        await http_request(run.context(), request(url=web.url + "/none"))
    with pytest.raises(FetchError, match="500"):
        await http_request(run.context(), request(url=web.on("/x", Answer(500))))


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "url"),
        ({"url": ""}, "url"),
        ({"url": 5}, "url"),
        ({"url": "http://x", "method": "CONNECT"}, "method"),
        ({"url": "http://x", "headers": {"X": "a\r\nEvil: b"}}, "headers"),
        ({"url": "http://x", "headers": {"X\r\nEvil": "b"}}, "headers"),
        ({"url": "http://x", "headers": {"": "b"}}, "headers"),
        ({"url": "http://x", "headers": {"Host": "y"}}, "headers"),
        ({"url": "http://x", "headers": {"Content-Length": "0"}}, "headers"),
    ],
)
def test_a_bad_payload_is_refused_by_name(payload: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        request(**payload)
    assert refusal.value.errors()[0]["loc"][0] == field
