"""`/api/jobs/{id}`: cancelling, retrying and lending out jobs."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.domain.access import Scope
from jobcast.domain.times import iso
from jobcast.gateway.http.body import parse, read, read_body
from jobcast.gateway.http.credentials import allowed
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.job_shapes import TAG, Accessible
from jobcast.gateway.http.jobs import FIELDS_BYTES
from jobcast.gateway.http.operation import Operation, route
from jobcast.gateway.state import Gateway
from jobcast.services.credentials import MAX_WATCH_SECONDS, WATCH_SECONDS
from jobcast.services.job_input import Object
from jobcast.wire.api import JobShape, render_job


class RetryBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Another payload for the retry, or nothing."""

    payload: Object | UnsetType = UNSET


class TokenBody(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """How long the token lasts, in seconds."""

    expires_in: Annotated[int, Meta(ge=1, le=MAX_WATCH_SECONDS)] = WATCH_SECONDS


class Deleted(Struct, frozen=True, rename="camel"):
    """A job that was cancelled before it ran."""

    id: str
    status: str
    updated_at: str


class _Changing:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._jobs = gateway.jobs

    async def delete(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.WRITE)
        job = await self._jobs.cancel(principal, request.path_params["id"], waiting_only=True)
        data = Deleted(job.id, job.status, iso(job.updated_at))
        return success("Job cancelled successfully", data)

    async def cancel(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.WRITE)
        job = await self._jobs.cancel(principal, request.path_params["id"], waiting_only=False)
        return success("Job cancellation requested", Raw(render_job(job)), status=202)

    async def retry(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.WRITE)
        limit = self._gateway.settings.max_payload_bytes + FIELDS_BYTES
        body = parse(await read_body(request, limit=limit), RetryBody)
        payload = None if body.payload is UNSET else body.payload
        job = await self._jobs.retry(principal, request.path_params["id"], payload)
        return success("Job retry scheduled", Raw(render_job(job)), status=202)

    async def token(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.READ)
        body = await read(request, TokenBody)
        job = await self._jobs.get(principal, request.path_params["id"])
        token, expires_at = self._gateway.accounts.credentials.watch_token(
            tenant_id=job.tenant_id, job_id=job.id, seconds=body.expires_in
        )
        data = Accessible(token, iso(expires_at))
        return success("Watch token created successfully", data, status=201)


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    changing = _Changing(gateway)
    return [
        route(
            "DELETE",
            "/api/jobs/{id}",
            changing.delete,
            Operation(summary="Cancel a job that waits", tag=TAG, data=Deleted, errors=(400,)),
        ),
        route(
            "POST",
            "/api/jobs/{id}/cancel",
            changing.cancel,
            Operation(
                summary="Cancel a job, also one that runs",
                tag=TAG,
                status=202,
                text="A result that commits first wins.",
                data=JobShape,
                errors=(400,),
            ),
        ),
        route(
            "POST",
            "/api/jobs/{id}/retry",
            changing.retry,
            Operation(
                summary="Run a FAILED or CANCELLED job again",
                tag=TAG,
                status=202,
                body=RetryBody,
                body_required=False,
                data=JobShape,
                errors=(400, 409, 413),
            ),
        ),
        route(
            "POST",
            "/api/jobs/{id}/tokens",
            changing.token,
            Operation(
                summary="Make a token that reads this job alone",
                tag=TAG,
                status=201,
                body=TokenBody,
                body_required=False,
                data=Accessible,
            ),
        ),
    ]
