"""`/api/jobs/{id}/events`: a job's events as a stream that any browser can read and resume."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from jobcast.domain.errors import InvalidRequest
from jobcast.gateway.http.credentials import principal_of
from jobcast.gateway.http.job_parts import MAX_SEQ
from jobcast.gateway.http.job_shapes import TAG, number
from jobcast.gateway.http.operation import Operation, Parameter, route
from jobcast.gateway.state import Gateway
from jobcast.gateway.watching import JobWatch
from jobcast.wire.frames import seq_of

RETRY_MS: Final = 1_000
"""When a browser comes back after a lost connection."""

COMMENT_EVERY: Final = 15.0
"""Seconds of silence until a comment keeps proxies awake."""

WAITING_BYTES: Final = 1_048_576
"""A reader that lets more than this pile up is cut off; it comes back and resumes."""

_GAP: Final = b'{"type":"gap"'
"""The one frame without a seq: reading can't go on from it."""

HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class _Events:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def events(self, request: Request) -> Response:
        principal = await principal_of(self._gateway, request, query=True)
        job_id = request.path_params["id"]
        job = await self._gateway.jobs.get(principal, job_id)
        after = _after(request)
        if job.state.ended and after >= job.seq:
            return Response(status_code=204, headers=HEADERS)
        watch = await self._gateway.hub.watch_job(job_id, after=after)
        return _EventStream(_Reader(self._gateway, watch))


class _EventStream(StreamingResponse):
    """The answer; whatever becomes of it, its reader's watch ends with it."""

    def __init__(self, reader: "_Reader") -> None:
        super().__init__(reader.lines(), media_type="text/event-stream", headers=HEADERS)
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._reader.close()


class _Reader:
    """Who reads a job's events: the frames that it has not yet been sent."""

    def __init__(self, gateway: Gateway, watch: JobWatch) -> None:
        self._gateway = gateway
        self._watch = watch
        self._frames: list[bytes] = []
        self._bytes = 0
        self._over = False
        self._news = asyncio.Event()
        gateway.readiness.call_on_drain(self._cut)

    async def lines(self) -> AsyncIterator[bytes]:
        """The stream. It ends with the job, and early for a slow reader or when the server goes."""
        self._watch.start(self._take, over=self._end)
        yield b"retry: %d\n\n" % RETRY_MS
        while True:
            self._news.clear()
            frames, self._frames, self._bytes = self._frames, [], 0
            if frames:
                yield b"".join(map(_lines, frames))
            elif self._over:
                return
            elif self._watch.behind:
                await self._gateway.hub.advance(self._watch)
            else:
                try:
                    async with asyncio.timeout(COMMENT_EVERY):
                        await self._news.wait()
                except TimeoutError:
                    yield b": still here\n\n"

    async def close(self) -> None:
        """Gives the watch up."""
        self._gateway.readiness.on_drain.discard(self._cut)
        await self._gateway.hub.leave_job(self._watch)

    def _take(self, frames: Sequence[bytes]) -> None:
        if self._bytes > WAITING_BYTES:
            self._cut()
            return
        self._bytes += sum(map(len, frames))
        self._frames += frames
        self._news.set()

    def _cut(self) -> None:
        self._watch.stop()
        self._end()

    def _end(self) -> None:
        self._over = True
        self._news.set()


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    return [
        route(
            "GET",
            "/api/jobs/{id}/events",
            _Events(gateway).events,
            Operation(
                summary="The events of a job, as they come",
                tag=TAG,
                text="Ends after the newest terminal event.",
                others={204: "The job has ended, and the reader has its last event."},
                data={"type": "string"},
                bare=True,
                media_type="text/event-stream",
                credentials="watch",
                parameters=[
                    Parameter(
                        name="after",
                        schema={"type": "integer", "minimum": 0},
                        text="Only events with a higher seq.",
                    ),
                    Parameter(
                        name="Last-Event-ID",
                        schema={"type": "integer", "minimum": 0},
                        text="The same, as browsers say it; wins over `after`.",
                        place="header",
                    ),
                ],
            ),
        )
    ]


def _after(request: Request) -> int:
    last = request.headers.get("last-event-id")
    if not last:
        return number(request, "after", default=0, most=MAX_SEQ)
    if last.isascii() and last.isdigit() and len(last) <= 16:
        return int(last)
    sentence = "Must be the id of an event: a whole number"
    raise InvalidRequest("Validation error", fields={"Last-Event-ID": [sentence]})


def _lines(frame: bytes) -> bytes:
    if frame.startswith(_GAP):
        return b"data: %b\n\n" % frame
    return b"id: %d\ndata: %b\n\n" % (seq_of(frame), frame)
