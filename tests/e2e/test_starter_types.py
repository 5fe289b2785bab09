"""Every type of the starter app, with what it really does."""

from __future__ import annotations

import base64
import email
import io
import json
from email.policy import default
from typing import Any

import pytest
from PIL import Image
from tests.e2e.api import Api, Json, new_account
from tests.e2e.listener import Listener, Page
from tests.e2e.server import DevServer


async def test_the_types_are_listed_with_their_schemas(starter: DevServer) -> None:
    async with Api(starter.url, key=starter.key) as api:
        types = {kind["type"]: kind for kind in await api.get("/api/job-types?limit=100")}
    assert types.keys() == {
        *("send-email", "email", "generate-report", "resize-image", "http-request", "webhook"),
        *("data_processing", "sleep", "stream-text", "*"),
    }
    assert types["sleep"]["schema"]["properties"]["delayMs"]["maximum"] == 3_600_000


@pytest.mark.parametrize("kind", ["send-email", "email"])
async def test_an_email_becomes_a_file_where_there_is_no_smtp(
    starter: DevServer, kind: str
) -> None:
    async with Api(starter.url, key=starter.key) as api:
        job = await api.run(
            kind, {"to": "ada@example.com", "subject": "Zażółć", "body": "Hello,\nAda.", "x": 1}
        )
        assert job["result"]["sent"] is True
        answer = await api.http.get(job["result"]["fileUrl"])
    assert answer.headers["content-type"].startswith("message/rfc822")
    message = email.message_from_bytes(answer.content, policy=default)
    assert (message["To"], message["Subject"]) == ("ada@example.com", "Zażółć")
    assert message.get_content().split() == ["Hello,", "Ada."]


def _picture(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("by_url", [True, False], ids=["by URL", "as a data: URI"])
async def test_a_picture_is_resized(starter: DevServer, listener: Listener, by_url: bool) -> None:
    picture = _picture(80, 40)
    listener.pages["/picture.png"] = Page(picture, "image/png")
    inline = "data:image/png;base64," + base64.b64encode(picture).decode()
    source = f"{listener.url}/picture.png" if by_url else inline
    async with Api(starter.url, key=starter.key) as api:
        job = await api.run("resize-image", {"url": source, "width": 20})
        answer = await api.http.get(job["result"]["url"])
    with Image.open(io.BytesIO(answer.content)) as resized:
        assert (resized.format, resized.size) == ("PNG", (20, 10))


async def test_what_is_no_picture_fails_at_once(starter: DevServer) -> None:
    async with Api(starter.url, key=starter.key) as api:
        submitted = await api.submit("resize-image", {"url": "data:,no picture"})
        job = await api.ended(submitted["id"])
    assert (job["status"], job["attempts"]) == ("FAILED", 1)


CSV = b"name,age\nAda,36\nGrace,\n"


@pytest.mark.parametrize("by_url", [True, False], ids=["by URL", "as rows"])
async def test_a_table_is_profiled(starter: DevServer, listener: Listener, by_url: bool) -> None:
    listener.pages["/people.csv"] = Page(CSV, "text/csv")
    rows = [{"name": "Ada", "age": 36}, {"name": "Grace", "age": None}]
    payload: Json = {"url": f"{listener.url}/people.csv"} if by_url else {"rows": rows}
    async with Api(starter.url, key=starter.key) as api:
        job = await api.run("data_processing", payload)
    said = json.dumps(job["result"])
    assert '"age"' in said and '"integer"' in said and '"nulls": 1' in said


@pytest.mark.parametrize("kind", ["http-request", "webhook"])
async def test_a_request_reaches_its_server(
    starter: DevServer, listener: Listener, kind: str
) -> None:
    async with Api(starter.url, key=starter.key) as api:
        job = await api.run(kind, {"url": f"{listener.url}/in", "method": "post", "body": {"n": 1}})
    assert job["result"]["statusCode"] == 204
    request = await listener.received()
    assert (request.method, request.path, request.body) == ("POST", "/in", b'{"n":1}')
    assert request.headers["idempotency-key"] == job["id"]


async def test_a_request_that_is_refused_fails(starter: DevServer, listener: Listener) -> None:
    async with Api(starter.url, key=starter.key) as api:
        submitted = await api.submit("http-request", {"url": f"{listener.url}/nowhere"})
        job = await api.ended(submitted["id"])
    assert (job["status"], job["error"]) == ("FAILED", "the server answered 404")


@pytest.mark.parametrize(
    ("format", "content_type", "begins"),
    [
        ("pdf", "application/pdf", b"%PDF-"),
        ("csv", "text/csv; charset=utf-8", b"id,type,status"),
        ("json", "application/json", b"{"),
    ],
)
async def test_a_report_is_written_in_the_wanted_format(
    starter: DevServer, format: str, content_type: str, begins: bytes
) -> None:
    account = await new_account(starter)
    async with Api(starter.url, key=account.key) as api:
        before = await api.run("sleep", {"delayMs": 0})
        job = await api.run("generate-report", {"format": format})
        answer = await api.http.get(job["result"]["reportUrl"])
        (file,) = await api.get(f"/api/jobs/{job['id']}/files")
    assert answer.headers["content-type"] == content_type
    assert answer.content.startswith(begins)
    assert file["size"] == len(answer.content)
    assert job["result"]["jobs"] == 2
    assert format == "pdf" or before["id"].encode() in answer.content


async def test_a_sleep_tells_its_progress(starter: DevServer) -> None:
    async with Api(starter.url, key=starter.key) as api:
        job = await api.run("sleep", {"delayMs": 400})
        events = await api.events(job["id"])
    assert job["result"]["sleptMs"] >= 400
    told = [event["percent"] for event in events if event["type"] == "job:progress"]
    assert told == sorted(told)
    assert told[-1] == 100


async def test_text_is_streamed_piece_by_piece(starter: DevServer) -> None:
    text = "Żółw  drepcze\npowoli. "
    async with Api(starter.url, key=starter.key) as api:
        job = await api.run("stream-text", {"text": text, "delayMs": 1})
        events = await api.events(job["id"])
        stored = await api.get(f"/api/jobs/{job['id']}/output")
    pieces = [event["data"]["token"] for event in events if event["type"] == "job:output"]
    assert len(pieces) == job["result"]["tokens"] == 3
    assert "".join(pieces) == text
    assert [piece["data"]["token"] for piece in stored] == pieces


@pytest.mark.parametrize("payload", [{"any": ["thing", None, {"at": 1.5}]}, {}])
async def test_any_other_type_echoes_its_payload(
    starter: DevServer, payload: dict[str, Any]
) -> None:
    async with Api(starter.url, key=starter.key) as api:
        job = await api.run("never-heard-of", payload)
    assert job["result"] == payload
