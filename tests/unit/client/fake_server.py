"""A small server that answers like Jobcast does, on a loopback port, in a thread of its own.

It holds jobs and their events in memory, tells a job's story when it is submitted, and can be told
to refuse, to lose answers and to break sockets. Tests look at what it was asked.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from jobcast.client import codec

KEY = "jc_test_key"
PASSWORD = "correct horse"
AT = "2026-11-22T10:00:00.000Z"
STATUS = {"pending": "PENDING", "processing": "PROCESSING", "retrying": "PENDING"} | {
    end: end.upper() for end in ("done", "failed", "cancelled")
}

Step = tuple[str, dict[str, Any]]
"""The second half of an event's type, and the fields of its own."""

WORK: Sequence[Step] = (
    ("processing", {}),
    ("log", {"message": "reading", "level": "info"}),
    ("progress", {"percent": 40, "note": "halfway"}),
    ("output", {"data": {"token": "Hel"}}),
    ("output", {"data": {"token": "lo"}}),
    ("done", {"result": {"pages": 3}}),
)
FAILURE: Sequence[Step] = (("processing", {}), ("failed", {"error": "the printer is on fire"}))


@dataclass
class Call:
    """One HTTP request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Break:
    """Ends a socket after so many events: with a close code, or, with None, without a word."""

    after: int
    code: int | None
    reason: str = ""


@dataclass
class FakeServer:
    """The fake's state; every public method may be called from any thread."""

    url: str = ""
    stories: dict[str, Sequence[Step]] = field(
        default_factory=lambda: {"demo": WORK, "broken": FAILURE}
    )
    calls: list[Call] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)
    refusals: deque[Response] = field(default_factory=deque)
    lost_answers: int = 0
    breaks: deque[Break] = field(default_factory=deque)
    denials: deque[int] = field(default_factory=deque)
    greetings: deque[str] = field(default_factory=deque)
    objections: deque[dict[str, Any]] = field(default_factory=deque)
    asides: deque[dict[str, Any]] = field(default_factory=deque)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    tenants: dict[str, dict[str, Any]] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=lambda: {KEY})
    first_seq: int = 1
    sockets: int = 0
    _heard: threading.Condition = field(default_factory=threading.Condition)
    _by_idempotency_key: dict[str, str] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None
    _server: uvicorn.Server | None = None

    def serve_by(self, url: str, loop: asyncio.AbstractEventLoop, server: uvicorn.Server) -> None:
        """Who serves it, and where."""
        self.url, self._loop, self._server = url, loop, server

    def refuse(self, status: int, document: Any, **headers: str) -> Self:
        """The next call gets this answer; further ones queue up behind it."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.refusals.append(JSONResponse(document, status, names))
        return self

    def add_job(self, type: str = "demo", steps: Sequence[Step] = (), **known: Any) -> str:
        """Makes a job that has gone through `steps`, and answers its id."""
        job_id = f"job-{len(self.jobs) + 1}"
        self.jobs[job_id] = {
            "id": job_id,
            "tenantId": "t1",
            "userId": "u1",
            "queue": "default",
            "type": type,
            "status": "PENDING",
            "payload": {},
            "result": None,
            "error": None,
            "progress": None,
            "priority": 0,
            "attempts": 0,
            "maxAttempts": 3,
            "tags": [],
            "channel": None,
            "webhookUrl": None,
            "seq": 0,
            "runAt": AT,
            "createdAt": AT,
            "startedAt": None,
            "finishedAt": None,
            "updatedAt": AT,
            **known,
        }
        self.events[job_id] = []
        self.tell(job_id, ("pending", {}), *steps)
        return job_id

    def tell(self, job_id: str, *steps: Step) -> None:
        """Adds events to a job; whoever watches gets them."""
        job = self.jobs[job_id]
        for kind, fields in steps:
            job["seq"] += 1
            job["status"] = STATUS.get(kind, job["status"])
            job |= {name: fields[name] for name in ("result", "error") if name in fields}
            frame = {
                "type": f"job:{kind}",
                "jobId": job_id,
                "tenantId": "t1",
                "jobType": job["type"],
                "status": job["status"],
                "seq": job["seq"],
                "attempt": 0 if kind == "pending" else 1,
                "at": AT,
            }
            self.events[job_id].append(frame | fields)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._news.set)

    def asked(self, method: str, path: str) -> list[Call]:
        """The calls of one route, in order."""
        return [call for call in self.calls if (call.method, call.path) == (method, path)]

    def wait_until(self, condition: Callable[["FakeServer"], bool]) -> None:
        """Until `condition` holds; it is looked at whenever something was asked or said."""
        with self._heard:
            assert self._heard.wait_for(lambda: condition(self), timeout=20)

    async def until(self, condition: Callable[["FakeServer"], bool]) -> None:
        """The same, without holding up the loop."""
        await asyncio.to_thread(self.wait_until, condition)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            response = await self._answer(request)
            if self.lost_answers:
                self.lost_answers -= 1
                self._cut()
                return
            await response(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._serve_socket(WebSocket(scope, receive, send))

    def _cut(self) -> None:
        assert self._server is not None
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()

    def _is_known(self, headers: Any) -> bool:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        return bool({headers.get("x-api-key"), token} & self.accepted)

    async def _answer(self, request: Request) -> Response:
        from tests.unit.client.fake_routes import answer

        text = await request.body()
        call = Call(
            request.method,
            request.url.path,
            dict(request.query_params),
            dict(request.headers),
            codec.loads(text) if text else None,
        )
        with self._heard:
            self.calls.append(call)
            self._heard.notify_all()
        if self.refusals:
            return self.refusals.popleft()
        return await answer(self, call, known=self._is_known(request.headers))

    async def _serve_socket(self, socket: WebSocket) -> None:
        self.sockets += 1
        if self.denials:
            await socket.send_denial_response(Response(status_code=self.denials.popleft()))
            return
        await socket.accept()
        if not self._is_known(socket.headers):
            await socket.close(1008, "Invalid API key")
            return
        if self.greetings:
            await socket.send_text(self.greetings.popleft())
        await socket.send_json({"type": "connected", "protocol": 1, "heartbeatMs": 25_000})
        try:
            subscribe = await self._receive(socket)
            job = self.jobs.get(subscribe["jobId"])
            if job is None:
                gone = {"code": "NOT_FOUND", "message": "Job not found", "temporary": False}
                self.objections.append(gone)
            if self.objections:
                refusal = {"type": "error", "id": subscribe["id"]}
                await socket.send_json(refusal | self.objections.popleft())
                await self._receive(socket)
            assert job is not None
            await self._stream(socket, job, subscribe)
        except WebSocketDisconnect:
            return

    async def _receive(self, socket: WebSocket) -> Any:
        frame = await socket.receive_json()
        with self._heard:
            self.frames.append(frame)
            self._heard.notify_all()
        return frame

    async def _stream(self, socket: WebSocket, job: dict[str, Any], subscribe: Any) -> None:
        end = self.breaks.popleft() if self.breaks else None
        await socket.send_json(
            {
                "type": "subscribed",
                "id": subscribe["id"],
                "jobId": job["id"],
                "seq": job["seq"],
                "job": job,
                "recovered": True,
            }
        )
        sent, last = 0, subscribe["after"]
        while self.asides:
            await socket.send_json(self.asides.popleft())
        while True:
            self._news.clear()
            for event in [e for e in self.events[job["id"]] if e["seq"] > last]:
                if end is not None and sent == end.after:
                    break
                await socket.send_json(event)
                sent, last = sent + 1, event["seq"]
            if end is not None and sent == end.after:
                await self._end(socket, end)
                return
            await self._next_thing(socket)

    async def _end(self, socket: WebSocket, end: Break) -> None:
        if end.code is None:
            self._cut()
        else:
            await socket.close(end.code, end.reason)

    async def _next_thing(self, socket: WebSocket) -> None:
        """Until there are new events, or the client says something or leaves."""
        news = asyncio.ensure_future(self._news.wait())
        said = asyncio.ensure_future(self._receive(socket))
        try:
            await asyncio.wait([news, said], return_when=asyncio.FIRST_COMPLETED)
            if said.done():
                said.result()
        finally:
            news.cancel()
            said.cancel()
