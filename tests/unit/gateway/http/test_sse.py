import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import Message
from tests.support.whole_house import WITHIN, House, eventually, faults, refused
from tests.support.workshop import Workshop

from jobcast.gateway.http import sse

Event = dict[str, Any]


class Stream:
    """A reader of events: as slow as the test wants, gone when the test wants."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.over = False
        self.comments: list[str] = []
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._text = b""
        self._gone = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            return
        await self.reads.wait()
        self._parts.put_nowait(message.get("body", b""))
        if not message.get("more_body"):
            self._parts.put_nowait(None)

    def leave(self) -> None:
        self._gone.set()

    async def block(self) -> list[str] | None:
        """The lines up to the next empty one; None at the end."""
        async with asyncio.timeout(WITHIN):
            while b"\n\n" not in self._text:
                part = await self._parts.get()
                if part is None:
                    self.over = True
                    assert self._text == b""
                    return None
                self._text += part
        block, self._text = self._text.split(b"\n\n", 1)
        return block.decode().split("\n")

    async def event(self) -> Event | None:
        """The next event; its id is its seq and it has no name."""
        while (lines := await self.block()) is not None:
            fields = dict(line.split(": ", 1) for line in lines)
            if "" in fields:
                self.comments.append(fields[""])
            elif "data" in fields:
                event: Event = json.loads(fields.pop("data"))
                assert fields == ({"id": str(event["seq"])} if "seq" in event else {})
                return event
            else:
                assert fields == {"retry": "1000"}
        return None

    async def seqs(self) -> list[int]:
        """The seqs of all that comes until the end."""
        found = []
        while (event := await self.event()) is not None:
            found.append(event["seq"])
        return found


@asynccontextmanager
async def reading(
    house: House, job_id: str, query: str = "", **headers: str
) -> AsyncIterator[Stream]:
    """Opens the events of a job; leaves when done."""
    stream = Stream()
    given = {"x-api-key": house.key.text, **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": f"/api/jobs/{job_id}/events",
        "raw_path": b"",
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in given.items()],
    }

    async def run() -> None:
        await house.home.http(scope, stream.receive, stream.send)

    request = asyncio.create_task(run())
    try:
        yield stream
    finally:
        stream.leave()
        stream.reads.set()
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)


async def test_events_come_from_the_first_one_live_to_the_end(
    house: House, workshop: Workshop
) -> None:
    job = await house.submit("gate", {"before": 2, "after": 2})
    await workshop.entered().wait()

    async with reading(house, job["id"]) as stream:
        first = await stream.event()
        workshop.open()
        rest = await stream.seqs()

    assert first is not None
    assert (first["type"], first["jobId"], first["seq"]) == ("job:pending", job["id"], 1)
    assert rest == list(range(2, 8))
    assert stream.status == 200
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    assert stream.headers["x-accel-buffering"] == "no"


async def test_a_reader_goes_on_after_the_last_event_it_has(house: House) -> None:
    job = await house.done("speak")

    async with reading(house, job["id"], "after=2") as stream:
        assert await stream.seqs() == list(range(3, job["seq"] + 1))
    async with reading(house, job["id"], "after=2", last_event_id="5") as stream:
        assert await stream.seqs() == list(range(6, job["seq"] + 1))
    async with reading(house, job["id"], "after=2", last_event_id="") as stream:
        assert await stream.seqs() == list(range(3, job["seq"] + 1))


async def test_a_reader_that_has_it_all_is_told_to_stay_away(house: House) -> None:
    job = await house.done()
    path = f"/api/jobs/{job['id']}/events"

    for after in (job["seq"], job["seq"] + 5):
        answer = await house("GET", path, also={"Last-Event-ID": str(after)})
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["Cache-Control"] == "no-store"


async def test_a_place_that_is_none_is_refused(house: House) -> None:
    job = await house.done()
    path = f"/api/jobs/{job['id']}/events"

    for bad in ("x", "-1", "1.5", "9" * 20):
        assert set(faults(await house("GET", path, params={"after": bad}))) == {"after"}
        answer = await house("GET", path, also={"Last-Event-ID": bad})
        assert set(faults(answer)) == {"Last-Event-ID"}
    assert refused(await house("GET", path, headers={})) == (401, "Access token required")


async def test_a_watch_token_in_the_address_is_enough(house: House) -> None:
    job = await house.done()
    token = await house.watch_token(job["id"])

    answer = await house(
        "GET", f"/api/jobs/{job['id']}/events", headers={}, params={"token": token}
    )

    assert answer.status_code == 200
    assert answer.content.count(b"\ndata: ") == job["seq"]


async def test_a_stream_ends_with_the_newest_end_and_a_resumed_one_sees_the_retry(
    house: House,
) -> None:
    job = await house.done("fail")
    async with reading(house, job["id"]) as stream:
        assert await stream.seqs() == [1, 2, 3]
    await house("POST", f"/api/jobs/{job['id']}/retry", {"payload": {"fail": False}})
    await house.ended(job["id"])

    async with reading(house, job["id"], last_event_id="3") as stream:
        assert await stream.seqs() == [4, 5, 6]
    async with reading(house, job["id"]) as stream:
        assert await stream.seqs() == [1, 2, 3, 4, 5, 6]


async def test_a_silent_stream_says_that_it_is_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "COMMENT_EVERY", 0.01)
    job = await house.waiting()

    async with reading(house, job["id"], "after=1") as stream:
        reader = asyncio.create_task(stream.event())
        await eventually(lambda: bool(stream.comments))
        await house("DELETE", f"/api/jobs/{job['id']}")
        event = await reader

    assert event is not None
    assert event["type"] == "job:cancelled"


async def test_a_reader_that_goes_leaves_nothing_behind(house: House) -> None:
    job = await house.waiting()
    before = set(house.gateway.readiness.on_drain)
    async with reading(house, job["id"]) as stream:
        await stream.event()
        assert house.hub.watches == 1

    assert house.hub.watches == 0
    assert house.gateway.readiness.on_drain == before


async def test_a_reader_that_goes_before_the_first_byte_leaves_nothing_behind(
    house: House,
) -> None:
    job = await house.waiting()
    stream = Stream()

    async def broken(message: Message) -> None:
        raise OSError("gone")

    stream.send = broken  # type: ignore[method-assign]
    async with reading(house, job["id"]) as reader:
        reader.leave()

    assert house.hub.watches == 0


async def test_a_slow_reader_is_cut_off_and_comes_back_for_the_rest(
    house: House, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "WAITING_BYTES", 100)
    job = await house.submit("steps", {"steps": 10})

    async with reading(house, job["id"]) as slow, reading(house, job["id"]) as quick:
        got = [event["seq"] for event in (await slow.event(), await slow.event()) if event]
        slow.reads.clear()
        assert [await quick.event(), await quick.event()]
        for number in range(10):
            workshop.open(f"step {number}")
            event = await quick.event()
            assert event is not None
            assert event["data"]["step"] == number
        assert await quick.seqs() == [13]
        slow.reads.set()
        got += await slow.seqs()
    async with reading(house, job["id"], last_event_id=str(got[-1])) as stream:
        rest = await stream.seqs()

    assert got == list(range(1, 5))
    assert rest == list(range(5, 14))


async def test_a_long_past_is_read_page_by_page(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcast.gateway.hub.PAGE", 7)
    job = await house.done("speak", {"pieces": 60})

    async with reading(house, job["id"], "after=3") as stream:
        assert await stream.seqs() == list(range(4, job["seq"] + 1))


async def test_a_stream_ends_when_the_server_goes(house: House) -> None:
    job = await house.waiting()
    async with reading(house, job["id"]) as stream:
        await stream.event()

        house.gateway.readiness.drain()

        assert await stream.event() is None


async def test_a_job_that_is_deleted_while_it_is_read_is_said_aloud(house: House) -> None:
    job = await house.waiting()
    async with reading(house, job["id"]) as stream:
        await stream.event()
        await house.forget(job["id"])

        await house.hub.repair()

        assert await stream.event() == {"type": "gap", "jobId": job["id"], "from": 2, "to": None}
        assert await stream.event() is None
