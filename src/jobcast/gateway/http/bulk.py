"""`/api/jobs/bulk`: one action on every job that matches a filter."""

from collections.abc import Sequence

from msgspec import Raw
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.domain.access import Scope
from jobcast.gateway.http.body import SMALL, parse, read_body
from jobcast.gateway.http.credentials import allowed
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.faults import note_submitter
from jobcast.gateway.http.idempotency import KEY, REPLAYED, idempotency_of
from jobcast.gateway.http.job_shapes import TAG
from jobcast.gateway.http.links import location
from jobcast.gateway.http.operation import Operation, route
from jobcast.gateway.state import Gateway
from jobcast.services.bulk import BulkBody
from jobcast.wire.api import JobShape, render_job


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""

    async def bulk(request: Request) -> Response:
        principal = await allowed(gateway, request, Scope.WRITE, counted=False)
        note_submitter(request, principal)
        data = await read_body(request, limit=SMALL)
        body = parse(data, BulkBody)
        key = idempotency_of(request, data)
        quota = await gateway.limiter.submissions(principal)
        submitted = await gateway.bulk.request(principal, body, idempotency=key)
        job = submitted.job
        where = location(gateway, request, f"/api/jobs/{job.id}")
        headers = {**quota.headers(), "Location": where}
        if submitted.replayed:
            headers |= REPLAYED
        sentence = f"Bulk {body.action} scheduled"
        return success(sentence, Raw(render_job(job)), status=202, headers=headers)

    return [
        route(
            "POST",
            "/api/jobs/bulk",
            bulk,
            Operation(
                summary="Cancel, retry or delete all jobs that match a filter",
                tag=TAG,
                text="The filter is the list's; `{}` is every job of the tenant, as far as it was "
                "there when this came in. Answers with a job that tells how far it has come, and "
                "whose result counts the jobs that matched, were changed and were skipped. Only "
                "jobs that have ended are deleted. It counts as one submission.",
                status=202,
                body=BulkBody,
                data=JobShape,
                parameters=[KEY],
                errors=(409, 503),
            ),
        )
    ]
