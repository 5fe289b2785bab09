"""`/api/jobs/{id}/…`: log, streamed output and files of a job."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from msgspec import Raw, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.domain.access import Principal
from jobcast.domain.errors import InvalidRequest
from jobcast.domain.job import EventType
from jobcast.domain.times import iso
from jobcast.gateway.http.credentials import principal_of
from jobcast.gateway.http.envelope import encode, success
from jobcast.gateway.http.job_shapes import TAG, number
from jobcast.gateway.http.operation import Operation, Parameter, route
from jobcast.gateway.state import Gateway
from jobcast.services.job_logs import LOGGED, render_log

MAX_SEQ: Final = 2**53 - 1
MAX_EVENTS: Final = 1_000
"""Events in one answer; `after` goes on."""

_AFTER: Final = Parameter(
    name="after",
    schema={"type": "integer", "minimum": 0, "default": 0},
    text="Only what has a higher seq.",
)
_LIMIT: Final = Parameter(
    name="limit",
    schema={"type": "integer", "minimum": 1, "maximum": MAX_EVENTS, "default": MAX_EVENTS},
    text="How many events at most.",
)
_ATTEMPT: Final = Parameter(
    name="attempt",
    schema={"anyOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]},
    text="The number of a run, or `all`; the latest by default.",
)


class LogShape(Struct, frozen=True, rename="camel"):
    """A line of a job's log."""

    id: str
    job_id: str
    message: str
    created_at: str
    seq: int
    level: str
    attempt: int


class FileShape(Struct, frozen=True, rename="camel"):
    """A file of a job; `size` in bytes."""

    name: str
    content_type: str
    size: int
    created_at: str
    url: str


PIECE_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "seq": {"type": "integer"},
        "attempt": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
        "data": {},
    },
    "required": ["seq", "attempt", "at", "data"],
}


class _Parts:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._jobs = gateway.jobs

    async def logs(self, request: Request) -> Response:
        principal, job_id = await self._seen(request)
        events = await self._jobs.events(
            principal,
            job_id,
            after=number(request, "after", default=0, most=MAX_SEQ),
            limit=number(request, "limit", default=MAX_EVENTS, most=MAX_EVENTS, least=1),
            types=LOGGED,
        )
        lines = [
            LogShape(
                line.id,
                line.job_id,
                line.message,
                iso(line.at),
                line.seq,
                line.level,
                line.attempt,
            )
            for line in render_log(events)
        ]
        return success("Job logs retrieved successfully", lines)

    async def output(self, request: Request) -> Response:
        principal, job_id = await self._seen(request)
        asked = request.query_params.get("attempt")
        attempt: int | None
        if asked == "all":
            attempt = None
        elif asked is None:
            attempt = (await self._jobs.get(principal, job_id)).run
        elif asked.isascii() and asked.isdigit() and len(asked) <= 9:
            attempt = int(asked)
        else:
            sentence = "Must be the number of a run, or all"
            raise InvalidRequest("Validation error", fields={"attempt": [sentence]})
        events = await self._jobs.events(
            principal,
            job_id,
            after=number(request, "after", default=0, most=MAX_SEQ),
            limit=number(request, "limit", default=MAX_EVENTS, most=MAX_EVENTS, least=1),
            types=[EventType.OUTPUT],
            attempt=attempt,
        )
        pieces = b",".join(
            b"%b,%b"
            % (
                encode({"seq": event.seq, "attempt": event.attempt, "at": iso(event.at)})[:-1],
                event.data[1:].encode(),  # its one key is `data`
            )
            for event in events
        )
        return success("Job output retrieved successfully", Raw(b"[%b]" % pieces))

    async def files(self, request: Request) -> Response:
        principal, job_id = await self._seen(request)
        root = self._gateway.settings.public_url or _own_address(request)
        base = f"{root}/api/jobs/{job_id}/files/"
        files = [
            FileShape(
                file.name,
                file.content_type,
                file.size,
                iso(file.created_at),
                base + quote(file.name),
            )
            for file in await self._jobs.files(principal, job_id)
        ]
        return success("Job files retrieved successfully", files)

    async def file(self, request: Request) -> Response:
        principal, job_id = await self._seen(request)
        name = request.path_params["name"]
        content_type, data = await self._jobs.file(principal, job_id, name)
        headers = {
            "Content-Type": content_type,
            "Content-Disposition": f"inline; filename*=UTF-8''{quote(name)}",
            # A file is somebody's upload on this origin: it may show, but never run.
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "Cache-Control": "private, no-cache",
        }
        return Response(data, headers=headers)

    async def _seen(self, request: Request) -> tuple[Principal, str]:
        principal = await principal_of(self._gateway, request, query=True)
        return principal, request.path_params["id"]


def _own_address(request: Request) -> str:
    """Where this app answers, as the request has found it; also below the path of a mount."""
    return str(request.url.replace(path=request.scope.get("root_path", ""), query=""))


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    parts = _Parts(gateway)
    return [
        route(
            "GET",
            "/api/jobs/{id}/logs",
            parts.logs,
            Operation(
                summary="The log of a job, oldest first",
                tag=TAG,
                data=list[LogShape],
                credentials="watch",
                parameters=[_AFTER, _LIMIT],
            ),
        ),
        route(
            "GET",
            "/api/jobs/{id}/output",
            parts.output,
            Operation(
                summary="Streamed output of a job, in order",
                tag=TAG,
                data={"type": "array", "items": PIECE_SCHEMA},
                credentials="watch",
                parameters=[_AFTER, _LIMIT, _ATTEMPT],
            ),
        ),
        route(
            "GET",
            "/api/jobs/{id}/files",
            parts.files,
            Operation(
                summary="The files of a job, by name",
                tag=TAG,
                data=list[FileShape],
                credentials="watch",
            ),
        ),
        route(
            "GET",
            "/api/jobs/{id}/files/{name}",
            parts.file,
            Operation(
                summary="The bytes of a file",
                tag=TAG,
                data={"type": "string", "format": "binary"},
                bare=True,
                media_type="*/*",
                credentials="watch",
            ),
        ),
    ]
