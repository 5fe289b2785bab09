"""`/api/job-types`, `/api/queues`, `/api/workers`, `/api/stats`: what operators look at."""

from collections.abc import Sequence

from msgspec import Raw, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.domain.access import Scope
from jobcast.domain.times import iso
from jobcast.gateway.http.credentials import allowed, identified
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.job_shapes import number
from jobcast.gateway.http.operation import Operation, Parameter, route
from jobcast.gateway.state import Gateway
from jobcast.services.overview import MAX_MINUTES

TAG = "operations"


class TypeShape(Struct, frozen=True, rename="camel"):
    """A job type: its defaults, and the JSON Schema of its payload (null for any object)."""

    type: str
    queue: str
    max_attempts: int
    timeout_ms: int
    max_running: int | None
    schema: Raw


class QueueShape(Struct, frozen=True, rename="camel"):
    """A queue: `depth` jobs wait to run, the first since `oldest`."""

    name: str
    depth: int
    scheduled: int
    processing: int
    oldest: str | None
    paused: bool


class PausedShape(Struct, frozen=True, rename="camel"):
    """A queue that stands still, or goes on."""

    name: str
    paused: bool


class WorkerShape(Struct, frozen=True, rename="camel"):
    """A worker that holds a lease, and how many jobs it runs."""

    id: str
    name: str
    started_at: str
    expires_at: str
    running: int


class MinuteShape(Struct, frozen=True, rename="camel"):
    """What happened to the jobs of one type in one minute; `runMs` sums their run times."""

    at: str
    type: str
    submitted: int
    done: int
    failed: int
    cancelled: int
    retried: int
    run_ms: int


class StatsShape(Struct, frozen=True, rename="camel"):
    """Sums since a minute, and the minutes."""

    since: str
    submitted: int
    done: int
    failed: int
    cancelled: int
    retried: int
    run_ms: int
    minutes: list[MinuteShape]


class _Overview:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def job_types(self, request: Request) -> Response:
        await allowed(self._gateway, request, Scope.READ)
        types = [
            TypeShape(
                info.type,
                info.queue,
                info.max_attempts,
                info.timeout_ms,
                info.max_running,
                Raw(b"null" if info.schema is None else info.schema.encode()),
            )
            for info in await self._gateway.types.all()
        ]
        return success("Job types retrieved successfully", types)

    async def queues(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.READ)
        queues = [
            QueueShape(
                queue.name,
                queue.ready,
                queue.scheduled,
                queue.processing,
                None if queue.oldest is None else iso(queue.oldest),
                queue.paused,
            )
            for queue in await self._gateway.overview.queues(principal)
        ]
        return success("Queues retrieved successfully", queues)

    async def pause(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        name = request.path_params["name"]
        await self._gateway.queues.pause(principal, name)
        return success("Queue paused successfully", PausedShape(name, True))

    async def resume(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        name = request.path_params["name"]
        await self._gateway.queues.resume(principal, name)
        return success("Queue resumed successfully", PausedShape(name, False))

    async def workers(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.ADMIN)
        workers = [
            WorkerShape(w.id, w.name, iso(w.started_at), iso(w.expires_at), w.running)
            for w in await self._gateway.overview.workers(principal)
        ]
        return success("Workers retrieved successfully", workers)

    async def stats(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.READ)
        minutes = number(request, "minutes", default=60, most=MAX_MINUTES, least=1)
        stats = await self._gateway.overview.stats(principal, minutes=minutes)
        data = StatsShape(
            iso(stats.since),
            stats.submitted,
            stats.done,
            stats.failed,
            stats.cancelled,
            stats.retried,
            stats.run_ms,
            [
                MinuteShape(
                    iso(row.minute),
                    row.type,
                    row.submitted,
                    row.done,
                    row.failed,
                    row.cancelled,
                    row.retried,
                    row.run_ms,
                )
                for row in stats.minutes
            ],
        )
        return success("Stats retrieved successfully", data)


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    overview = _Overview(gateway)
    span = Parameter(
        name="minutes",
        schema={"type": "integer", "minimum": 1, "maximum": MAX_MINUTES, "default": 60},
        text="How many of the last minutes.",
    )
    return [
        route(
            "GET",
            "/api/job-types",
            overview.job_types,
            Operation(summary="The job types that workers serve", tag=TAG, data=list[TypeShape]),
        ),
        route(
            "GET",
            "/api/queues",
            overview.queues,
            Operation(summary="Queues with live jobs", tag=TAG, data=list[QueueShape]),
        ),
        route(
            "POST",
            "/api/queues/{name}/pause",
            overview.pause,
            Operation(
                summary="Let a queue stand still",
                tag=TAG,
                text="For service keys. What runs goes on; what is submitted waits.",
                data=PausedShape,
                errors=(400,),
            ),
        ),
        route(
            "POST",
            "/api/queues/{name}/resume",
            overview.resume,
            Operation(
                summary="Let a queue go on",
                tag=TAG,
                text="For service keys.",
                data=PausedShape,
                errors=(400,),
            ),
        ),
        route(
            "GET",
            "/api/workers",
            overview.workers,
            Operation(summary="Workers with a lease", tag=TAG, data=list[WorkerShape]),
        ),
        route(
            "GET",
            "/api/stats",
            overview.stats,
            Operation(
                summary="What happened in the last minutes",
                tag=TAG,
                data=StatsShape,
                parameters=[span],
            ),
        ),
    ]
