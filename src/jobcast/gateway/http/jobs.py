"""`/api/jobs`: submitting, listing and reading jobs."""

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from msgspec import Raw
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.domain.access import Scope
from jobcast.domain.errors import InvalidRequest
from jobcast.domain.job import Job
from jobcast.gateway.http.body import read_body
from jobcast.gateway.http.credentials import allowed, principal_of
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.faults import note_submitter
from jobcast.gateway.http.idempotency import KEY, REPLAYED, idempotency_of
from jobcast.gateway.http.job_shapes import (
    LIST_PARAMETERS,
    TAG,
    etag_of,
    filter_of,
    number,
    oldest_first,
    seen_by,
)
from jobcast.gateway.http.links import location
from jobcast.gateway.http.operation import Operation, Parameter, route
from jobcast.gateway.http.paging import page_of
from jobcast.gateway.state import Gateway
from jobcast.runtime.tracing import traceparent_of
from jobcast.services.job_input import BatchBody, JobBody, parse_batch, parse_job
from jobcast.wire.api import (
    JobShape,
    JobSummaryShape,
    array,
    page_meta,
    render_job,
    render_job_summary,
)

FIELDS_BYTES: Final = 65_536
"""What the fields beside the payload may take of a body."""

_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

PAGED_LIMIT: Final = 10_000
"""Jobs that page numbers reach; beyond, a cursor goes on."""

MAX_WAIT: Final = 60


class _Jobs:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._jobs = gateway.jobs

    async def create(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.WRITE, counted=False)
        note_submitter(request, principal)
        limit = self._gateway.settings.max_payload_bytes + FIELDS_BYTES
        data = await read_body(request, limit=limit)
        body = parse_job(data)
        key = idempotency_of(request, data)
        quota = await self._gateway.limiter.submissions(principal)
        submitted = await self._jobs.submit(
            principal, body, idempotency=key, traceparent=_traceparent(request)
        )
        job = submitted.job
        where = location(self._gateway, request, f"/api/jobs/{job.id}")
        headers = {**quota.headers(), "Location": where}
        if submitted.replayed:
            headers |= REPLAYED
        shown = self._shown(job, body)
        if submitted.merged:
            return success("Job already exists", Raw(shown), headers=headers)
        return success("Job created successfully", Raw(shown), status=201, headers=headers)

    async def create_batch(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.WRITE, counted=False)
        note_submitter(request, principal)
        settings = self._gateway.settings
        data = await read_body(request, limit=settings.max_batch_bytes)
        bodies = parse_batch(data, most=settings.max_batch)
        key = idempotency_of(request, data)
        quota = await self._gateway.limiter.submissions(principal, count=len(bodies))
        submitted = await self._jobs.submit_all(
            principal, bodies, idempotency=key, traceparent=_traceparent(request)
        )
        headers = quota.headers()
        if all(one.replayed for one in submitted):
            headers |= REPLAYED
        shown = array(
            self._shown(one.job, body) for one, body in zip(submitted, bodies, strict=True)
        )
        return success("Jobs created successfully", Raw(shown), status=201, headers=headers)

    async def list_jobs(self, request: Request) -> Response:
        principal = await allowed(self._gateway, request, Scope.READ)
        page, cursor = page_of(request), _cursor(request)
        if cursor is None and page.page * page.limit > PAGED_LIMIT:
            sentence = f"Pages reach {PAGED_LIMIT} jobs. Go on with cursor=, the last meta.cursor"
            raise InvalidRequest("Validation error", fields={"page": [sentence]})
        found = await self._jobs.find(
            principal,
            filter_of(request),
            limit=page.limit,
            offset=0 if cursor is not None else page.offset,
            oldest_first=oldest_first(request),
            cursor=cursor,
        )
        meta = page_meta(
            total=found.total,
            page=page.page,
            limit=page.limit,
            exact=found.exact,
            cursor=found.jobs[-1].id if len(found.jobs) == page.limit else None,
            by_cursor=cursor is not None,
        )
        shown = array(render_job_summary(job) for job in found.jobs)
        return success("Jobs retrieved successfully", Raw(shown), meta=meta)

    async def show(self, request: Request) -> Response:
        principal = await principal_of(self._gateway, request, query=True)
        job_id = request.path_params["id"]
        wait = number(request, "wait", default=0, most=MAX_WAIT)
        job = await self._jobs.look(principal, job_id)
        if wait and not job.state.ended:
            await self._ended(job_id, seconds=wait)
            job = await self._jobs.look(principal, job_id)
        etag = etag_of(principal, job)
        headers = {
            "ETag": etag,
            "Cache-Control": "private, no-cache",
            "Vary": "Authorization, X-API-Key",
        }
        known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
        if etag in known or f"W/{etag}" in known or "*" in known:
            return Response(status_code=304, headers=headers)
        shown = Raw(seen_by(principal, job))
        return success("Job retrieved successfully", shown, headers=headers)

    async def _ended(self, job_id: str, *, seconds: float) -> None:
        """Returns when the job has ended, the time is over, or the server goes."""
        over = asyncio.Event()
        watch = await self._gateway.hub.watch_job(job_id, after=None)
        readiness = self._gateway.readiness
        readiness.call_on_drain(over.set)
        try:
            watch.start(lambda frames: None, over=over.set)
            async with asyncio.timeout(seconds):
                await over.wait()
        except TimeoutError:
            return
        finally:
            readiness.on_drain.discard(over.set)
            await self._gateway.hub.leave_job(watch)

    def _shown(self, job: Job, body: JobBody) -> bytes:
        shown = render_job(job)
        if not body.watch_token:
            return shown
        token, _ = self._gateway.accounts.credentials.watch_token(
            tenant_id=job.tenant_id, job_id=job.id
        )
        return b'%b,"watchToken":"%b"}' % (shown[:-1], token.encode())


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    jobs = _Jobs(gateway)
    return [
        route(
            "POST",
            "/api/jobs",
            jobs.create,
            Operation(
                summary="Submit a job",
                tag=TAG,
                status=201,
                others={200: "Its uniqueKey is taken: the live job that has it."},
                body=JobBody,
                data=JobShape,
                parameters=[KEY],
                errors=(409, 413, 429, 503),
            ),
        ),
        route(
            "GET",
            "/api/jobs/{id}",
            jobs.show,
            Operation(
                summary="A job",
                tag=TAG,
                text="With `wait`, answers when the job ends, or that many seconds later.",
                others={304: "It is still as `If-None-Match` knows it."},
                data=JobShape,
                credentials="watch",
                parameters=[
                    Parameter(
                        name="wait",
                        schema={"type": "integer", "minimum": 0, "maximum": MAX_WAIT},
                        text="Seconds to wait for the end of the job.",
                    )
                ],
            ),
        ),
        route(
            "GET",
            "/api/jobs",
            jobs.list_jobs,
            Operation(
                summary="Jobs, newest first, without payload and result",
                tag=TAG,
                data=JobSummaryShape,
                listed=True,
                parameters=LIST_PARAMETERS,
            ),
        ),
        route(
            "POST",
            "/api/jobs/batch",
            jobs.create_batch,
            Operation(
                summary="Submit up to 1,000 jobs, all or none",
                tag=TAG,
                status=201,
                body=BatchBody,
                data=list[JobShape],
                parameters=[KEY],
                errors=(409, 413, 429, 503),
            ),
        ),
    ]


def _cursor(request: Request) -> str | None:
    text = request.query_params.get("cursor")
    if text is not None and not _ID.fullmatch(text):
        sentence = "Must be the meta.cursor of the page before"
        raise InvalidRequest("Validation error", fields={"cursor": [sentence]})
    return text


def _traceparent(request: Request) -> str | None:
    return traceparent_of(request.headers.get("traceparent"))
