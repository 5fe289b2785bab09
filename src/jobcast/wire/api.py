"""The shapes of HTTP's answers: the envelope, and a job as JSON.

What is stored as JSON text is spliced in verbatim, so that it comes back as it was.
"""

import json
from collections.abc import Iterable
from math import ceil
from typing import Annotated, Final, Protocol

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, defstruct
from msgspec.json import Encoder
from msgspec.structs import fields

from jobcast.domain.errors import FieldErrors
from jobcast.domain.times import iso

_encoder: Final = Encoder()
_NULL: Final = Raw(b"null")


class PageMeta(Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a page stands in its list; `total_is_exact` is False where `total` is a lower bound."""

    total: int
    page: int
    limit: int
    total_pages: int
    has_next_page: bool
    has_prev_page: bool
    total_is_exact: bool | UnsetType = UNSET
    cursor: str | UnsetType = UNSET


class JobShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """A job as HTTP and WebSocket show it, keys in the contract's order; times are ISO text."""

    id: str
    tenant_id: str
    user_id: str | None
    queue: str
    type: str
    status: str
    #: Not for whoever holds a mere watch token.
    payload: Annotated[Raw, Meta(extra_json_schema={"type": "object"})] | UnsetType = UNSET
    result: Raw | UnsetType
    error: str | None
    progress: Raw
    priority: int
    attempts: int
    max_attempts: int
    tags: Raw
    channel: str | None
    webhook_url: str | None
    seq: int
    run_at: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    updated_at: str


JobSummaryShape: Final = defstruct(
    "JobSummaryShape",
    [
        (field.name, field.type)
        for field in fields(JobShape)
        if field.name not in ("payload", "result")
    ],
    rename="camel",
    frozen=True,
    kw_only=True,
)
"""A job as lists show it, for the description alone."""
JobSummaryShape.__doc__ = "A job as lists show it."


class JobSummaryView(Protocol):
    """What a job must have to be listed: times in milliseconds, `progress`, `tags` JSON text."""

    @property
    def id(self) -> str: ...
    @property
    def tenant_id(self) -> str: ...
    @property
    def user_id(self) -> str | None: ...
    @property
    def queue(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def error(self) -> str | None: ...
    @property
    def progress(self) -> str | None: ...
    @property
    def priority(self) -> int: ...
    @property
    def attempts(self) -> int: ...
    @property
    def max_attempts(self) -> int: ...
    @property
    def tags(self) -> str: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def webhook_url(self) -> str | None: ...
    @property
    def seq(self) -> int: ...
    @property
    def run_at(self) -> int: ...
    @property
    def created_at(self) -> int: ...
    @property
    def started_at(self) -> int | None: ...
    @property
    def finished_at(self) -> int | None: ...
    @property
    def updated_at(self) -> int: ...


class JobView(JobSummaryView, Protocol):
    """What a job must have to be shown whole: also `payload` and `result`, JSON text."""

    @property
    def payload(self) -> str: ...
    @property
    def result(self) -> str | None: ...


def render_job(job: JobView, *, with_payload: bool = True) -> bytes:
    """The job as a JSON object; without its payload for whom holds a mere watch token."""
    payload = Raw(job.payload) if with_payload else UNSET
    return _render(job, payload=payload, result=_spliced(job.result))


def render_job_summary(job: JobSummaryView) -> bytes:
    """The job as a JSON object without payload and result, as lists show it."""
    return _render(job, payload=UNSET, result=UNSET)


def success(message: str, data: bytes = b"null", *, meta: PageMeta | None = None) -> bytes:
    """The envelope of a success around `data`, which is JSON already."""
    tail = b"" if meta is None else b',"meta":%b' % _encoder.encode(meta)
    return b'{"success":true,"message":%b,"data":%b%b}' % (_encoder.encode(message), data, tail)


def failure(
    message: str,
    *,
    code: str,
    errors: FieldErrors | None = None,
    retry_after: float | None = None,
) -> bytes:
    """The envelope of an error: `errors` by field, `retry_after` in seconds, shown rounded up.

    Lone surrogates, which a client's text may hold and UTF-8 can't, are escaped.
    """
    body: dict[str, object] = {"success": False, "message": message, "code": code}
    if errors is not None:
        body["errors"] = errors
    if retry_after is not None:
        body["retryAfter"] = ceil(retry_after)
    try:
        return _encoder.encode(body)
    except UnicodeEncodeError:
        return json.dumps(body).encode()


def array(items: Iterable[bytes]) -> bytes:
    """A JSON array of what is JSON already, in order."""
    return b"[%b]" % b",".join(items)


def page_meta(
    *,
    total: int,
    page: int,
    limit: int,
    exact: bool = True,
    cursor: str | None = None,
    by_cursor: bool = False,
) -> PageMeta:
    """The meta of page `page` (from 1) with `limit` (≥ 1) items a page.

    Where `total` is not `exact` it is a lower bound, and there may be a page after its last.
    What was found `by_cursor` has no number: another page comes where `cursor` leads to one.
    """
    pages = -(-total // limit)
    return PageMeta(
        total=total,
        page=page,
        limit=limit,
        total_pages=pages,
        has_next_page=cursor is not None if by_cursor else page < pages or not exact,
        has_prev_page=page > 1,
        total_is_exact=UNSET if exact else False,
        cursor=UNSET if cursor is None else cursor,
    )


def _render(job: JobSummaryView, *, payload: Raw | UnsetType, result: Raw | UnsetType) -> bytes:
    return _encoder.encode(
        JobShape(
            id=job.id,
            tenant_id=job.tenant_id,
            user_id=job.user_id,
            queue=job.queue,
            type=job.type,
            status=job.status,
            payload=payload,
            result=result,
            error=job.error,
            progress=_spliced(job.progress),
            priority=job.priority,
            attempts=job.attempts,
            max_attempts=job.max_attempts,
            tags=Raw(job.tags),
            channel=job.channel,
            webhook_url=job.webhook_url,
            seq=job.seq,
            run_at=iso(job.run_at),
            created_at=iso(job.created_at),
            started_at=_time(job.started_at),
            finished_at=_time(job.finished_at),
            updated_at=iso(job.updated_at),
        )
    )


def _spliced(text: str | None) -> Raw:
    return _NULL if text is None else Raw(text)


def _time(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
