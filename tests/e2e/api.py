"""HTTP and WebSocket as a stranger speaks them: by httpx2 and websockets, with no code of ours."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx2
from tests.e2e.server import DevServer
from websockets.asyncio.client import ClientConnection, connect

T = TypeVar("T")
Json = dict[str, Any]

WITHIN: Final = 60.0
"""Seconds that anything awaited here may take on a busy machine before the test fails."""

TERMINAL: Final = ("job:done", "job:failed", "job:cancelled")
ENDED: Final = ("DONE", "FAILED", "CANCELLED")


class Api:
    """The API at `url` for one holder of credentials; an async context manager."""

    def __init__(self, url: str, *, key: str | None = None, token: str | None = None) -> None:
        headers = {}
        if key is not None:
            headers["X-API-Key"] = key
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self.http = httpx2.AsyncClient(
            base_url=url, headers=headers, timeout=WITHIN, trust_env=False
        )

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def get(self, path: str, status: int = 200) -> Any:
        """The `data` of an answer that has this status."""
        return _data(await self.http.get(path), status)

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        """The same for a POST with a JSON body."""
        return _data(await self.http.post(path, json={} if body is None else body), status)

    async def submit(self, type: str, payload: Json | None = None, **fields: Any) -> Json:
        """The job as it was accepted."""
        body = {"type": type, "payload": payload or {}, **fields}
        job: Json = await self.post("/api/jobs", body, status=201)
        return job

    async def job(self, job_id: str) -> Json:
        job: Json = await self.get(f"/api/jobs/{job_id}")
        return job

    async def ended(self, job_id: str) -> Json:
        """The job, once it has ended."""
        async with asyncio.timeout(WITHIN):
            while True:
                job: Json = await self.get(f"/api/jobs/{job_id}?wait=30")
                if job["status"] in ENDED:
                    return job

    async def done(self, job_id: str) -> Json:
        """The job, once it is DONE; any other end fails the test."""
        job = await self.ended(job_id)
        assert job["status"] == "DONE", job
        return job

    async def run(self, type: str, payload: Json | None = None, **fields: Any) -> Json:
        """Submits a job and returns it DONE."""
        return await self.done((await self.submit(type, payload, **fields))["id"])

    async def events(self, job_id: str) -> list[Json]:
        """All events of a job up to its end, by `text/event-stream`."""
        found: list[Json] = []
        async with (
            asyncio.timeout(WITHIN),
            self.http.stream("GET", f"/api/jobs/{job_id}/events?after=0") as answer,
        ):
            assert answer.status_code == 200
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    found.append(json.loads(line.removeprefix("data:")))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user who has registered and logged in."""

    id: str
    email: str
    password: str
    tenant_id: str
    key: str
    token: str
    refresh_token: str


async def new_account(server: DevServer) -> Account:
    """Registers someone new, in a tenant of their own, and logs them in."""
    email, password = f"{uuid.uuid4().hex}@example.com", "correct horse"
    given = {"email": email, "password": password}
    async with Api(server.url) as api:
        user = await api.post("/api/auth/register", given, status=201)
        tokens = await api.post("/api/auth/login", given)
    return Account(
        id=user["id"],
        email=email,
        password=password,
        tenant_id=user["tenantId"],
        key=user["apiKey"],
        token=tokens["accessToken"],
        refresh_token=tokens["refreshToken"],
    )


class Socket:
    """A WebSocket that was greeted, and answers to its commands."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **command: Any) -> None:
        await self.connection.send(json.dumps(command))

    async def receive(self) -> Json:
        """The next frame."""
        async with asyncio.timeout(WITHIN):
            frame: Json = json.loads(await self.connection.recv())
        return frame

    async def until(self, wanted: Callable[[Json], bool]) -> list[Json]:
        """The frames up to the first that is wanted, it included."""
        frames = [await self.receive()]
        while not wanted(frames[-1]):
            frames.append(await self.receive())
        return frames

    async def subscribe(self, job_id: str, after: int | None = None) -> Json:
        """Watches a job; the answer."""
        extra = {} if after is None else {"after": after}
        await self.send(type="subscribe", jobId=job_id, **extra)
        answer = await self.receive()
        assert answer["type"] == "subscribed", answer
        return answer

    async def end(self) -> list[Json]:
        """The frames up to the end of the job that is watched."""
        return await self.until(lambda frame: frame["type"] in TERMINAL)


@asynccontextmanager
async def socket(
    server: DevServer, *, key: str | None = None, query: str = ""
) -> AsyncIterator[Socket]:
    """A socket by API key in the header, or by whatever stands in the query."""
    headers = {} if key is None else {"X-API-Key": key}
    async with connect(
        server.ws + query, additional_headers=headers, proxy=None, max_size=None
    ) as connection:
        greeted = Socket(connection)
        assert (await greeted.receive())["type"] == "connected"
        yield greeted


async def eventually(
    look: Callable[[], Awaitable[T]], right: Callable[[T], bool], *, within: float = WITHIN
) -> T:
    """What `look` finds once it is right: for the few things that nothing announces."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not right(found := await look()):
        assert loop.time() < deadline, found
        await asyncio.sleep(0.02)
    return found


def assert_whole(events: Sequence[Mapping[str, Any]], *, end: str = "job:done") -> None:
    """The events are all of a job's story: from 1, without gap or repeat, with one end."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events if event["type"] in TERMINAL] == [end]
    assert events[-1]["type"] == end


def _data(answer: httpx2.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    envelope = answer.json()
    assert envelope["success"] is True
    return envelope["data"]
