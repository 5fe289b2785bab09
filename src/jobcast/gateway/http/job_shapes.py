"""Shapes of the jobs' routes: query parameters in, documents out."""

from typing import Final

from msgspec import Struct
from starlette.requests import Request

from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import InvalidRequest
from jobcast.domain.job import Job, Status
from jobcast.gateway.http.operation import PAGE_PARAMETERS, Parameter
from jobcast.store.jobs import Filter
from jobcast.wire.api import render_job

TAG: Final = "jobs"

FILTERS: Final = (
    ("status", "Only jobs of this status."),
    ("type", "Only jobs of this type."),
    ("queue", "Only jobs of this queue."),
    ("tag", "Only jobs with this tag."),
    ("userId", "Only jobs that this user submitted."),
    ("tenantId", "Only jobs of this tenant, for service keys."),
    ("q", "An id, the start of a type, or a tag."),
    ("sort", "`-createdAt` (newest first, the default) or `createdAt`."),
    ("cursor", "The `meta.cursor` of the page before; the way beyond 10,000 jobs."),
)
SCHEMAS: Final = {
    "status": {"enum": [status.value for status in Status]},
    "sort": {"enum": ["createdAt", "-createdAt"]},
}
LIST_PARAMETERS: Final = (
    *PAGE_PARAMETERS,
    *(
        Parameter(name=name, schema=SCHEMAS.get(name, {"type": "string"}), text=text)
        for name, text in FILTERS
    ),
)


class Accessible(Struct, frozen=True, rename="camel"):
    """A token that reads one job, and until when."""

    watch_token: str
    expires_at: str


def filter_of(request: Request) -> Filter:
    """The filter that the query asks for; raises InvalidRequest for a status that is none."""
    query = request.query_params
    status = query.get("status")
    if status is not None and status not in Status.__members__:
        sentence = f"Must be one of {', '.join(Status)}"
        raise InvalidRequest("Validation error", fields={"status": [sentence]})
    return Filter(
        tenant_id=query.get("tenantId"),
        status=None if status is None else Status(status),
        type=query.get("type"),
        queue=query.get("queue"),
        tag=query.get("tag"),
        user_id=query.get("userId"),
        q=query.get("q"),
    )


def oldest_first(request: Request) -> bool:
    """Whether the query wants the oldest first; raises InvalidRequest for another sort."""
    sort = request.query_params.get("sort", "-createdAt")
    if sort not in ("createdAt", "-createdAt"):
        raise InvalidRequest(
            "Validation error", fields={"sort": ["Must be createdAt or -createdAt"]}
        )
    return sort == "createdAt"


def number(request: Request, name: str, *, default: int, most: int, least: int = 0) -> int:
    """A whole number of the query; raises InvalidRequest outside `least` to `most`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 18 and least <= int(text) <= most:
        return int(text)
    sentence = f"Must be a whole number from {least} to {most}"
    raise InvalidRequest("Validation error", fields={name: [sentence]})


def seen_by(principal: Principal, job: Job) -> bytes:
    """The job as the principal may see it: a watch token does not see the payload."""
    return render_job(job, with_payload=principal.kind is not Kind.WATCH)


def etag_of(principal: Principal, job: Job) -> str:
    """Names this state of the job, as this kind of principal sees it."""
    view = "w" if principal.kind is Kind.WATCH else "j"
    return f'"{view}{job.seq}-{job.updated_at:x}"'
