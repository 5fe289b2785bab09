"""`/api/schedules`: jobs that are submitted by the clock."""

from collections.abc import Sequence

from msgspec import Raw, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.domain.access import Scope
from jobcast.domain.times import iso
from jobcast.gateway.http.body import read
from jobcast.gateway.http.credentials import allowed
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.jobs import FIELDS_BYTES
from jobcast.gateway.http.links import location
from jobcast.gateway.http.operation import PAGE_PARAMETERS, Operation, Parameter, route
from jobcast.gateway.http.paging import page_of
from jobcast.gateway.state import Gateway
from jobcast.services.schedule_input import NewSchedule, ScheduleChange
from jobcast.store.schedules import Schedule

TAG = "schedules"


class ScheduleShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """A schedule; `nextRunAt` is null while it is disabled.

    `lastRunAt` is the last tick that made a job, `lastJobId`. `error` says why the latest tick
    made none, null where it did. `declared` schedules stand in the code of an app.
    """

    id: str
    tenant_id: str
    name: str
    cron: str
    timezone: str
    type: str
    payload: Raw
    queue: str | None
    priority: int
    enabled: bool
    declared: bool
    next_run_at: str | None
    last_run_at: str | None
    last_job_id: str | None
    error: str | None
    created_at: str
    updated_at: str


class _Schedules:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._limit = gateway.settings.max_payload_bytes + FIELDS_BYTES

    async def create(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.WRITE)
        body = await read(request, NewSchedule, limit=self._limit)
        schedule = await self._gateway.schedules.create(principal, body)
        headers = {"Location": location(self._gateway, request, f"/api/schedules/{schedule.id}")}
        data = _shape(schedule)
        return success("Schedule created successfully", data, status=201, headers=headers)

    async def list_schedules(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.READ)
        page = page_of(request)
        schedules, total = await self._gateway.schedules.page(
            principal,
            tenant_id=request.query_params.get("tenantId"),
            limit=page.limit,
            offset=page.offset,
        )
        shown = [_shape(schedule) for schedule in schedules]
        return success("Schedules retrieved successfully", shown, meta=page.meta(total))

    async def show(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.READ)
        schedule = await self._gateway.schedules.get(principal, request.path_params["id"])
        return success("Schedule retrieved successfully", _shape(schedule))

    async def change(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.WRITE)
        body = await read(request, ScheduleChange, limit=self._limit)
        schedule = await self._gateway.schedules.change(principal, request.path_params["id"], body)
        return success("Schedule updated successfully", _shape(schedule))

    async def remove(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.WRITE)
        await self._gateway.schedules.remove(principal, request.path_params["id"])
        return success("Schedule deleted successfully")


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    schedules = _Schedules(gateway)
    tenant = Parameter(
        name="tenantId",
        schema={"type": "string"},
        text="Only schedules of this tenant, for service keys.",
    )
    return [
        route(
            "POST",
            "/api/schedules",
            schedules.create,
            Operation(
                summary="Make a schedule",
                tag=TAG,
                status=201,
                text=(
                    "`cron` has five fields: minute, hour, day of month, month, day of week. "
                    "Each tick makes one job. Of ticks that were missed while everything was "
                    "down, the latest is run, once. A set time of day that falls into the hour "
                    "skipped in spring is run at the end of the gap; in the hour that comes twice "
                    "in autumn it is run once."
                ),
                body=NewSchedule,
                data=ScheduleShape,
                errors=(409,),
            ),
        ),
        route(
            "GET",
            "/api/schedules",
            schedules.list_schedules,
            Operation(
                summary="Schedules, by name",
                tag=TAG,
                data=ScheduleShape,
                listed=True,
                parameters=[*PAGE_PARAMETERS, tenant],
            ),
        ),
        route(
            "GET",
            "/api/schedules/{id}",
            schedules.show,
            Operation(summary="A schedule", tag=TAG, data=ScheduleShape),
        ),
        route(
            "PATCH",
            "/api/schedules/{id}",
            schedules.change,
            Operation(
                summary="Change a schedule",
                tag=TAG,
                text="What is declared in code can only be enabled and disabled.",
                body=ScheduleChange,
                data=ScheduleShape,
            ),
        ),
        route(
            "DELETE",
            "/api/schedules/{id}",
            schedules.remove,
            Operation(
                summary="Delete a schedule",
                tag=TAG,
                text="Its jobs stay. What is declared in code comes back when its worker starts.",
            ),
        ),
    ]


def _shape(schedule: Schedule) -> ScheduleShape:
    return ScheduleShape(
        id=schedule.id,
        tenant_id=schedule.tenant_id,
        name=schedule.name,
        cron=schedule.cron,
        timezone=schedule.timezone,
        type=schedule.type,
        payload=Raw(schedule.payload.encode()),
        queue=schedule.queue,
        priority=schedule.priority,
        enabled=schedule.enabled,
        declared=schedule.declared_by is not None,
        next_run_at=_iso(schedule.next_run_at),
        last_run_at=_iso(schedule.last_run_at),
        last_job_id=schedule.last_job_id,
        error=schedule.error,
        created_at=iso(schedule.created_at),
        updated_at=iso(schedule.updated_at),
    )


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
