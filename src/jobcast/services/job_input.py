"""The body of a submission, checked: the same from HTTP, WebSocket, a handler and the SDKs."""

import re
from typing import Annotated, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from jobcast.domain.addresses import Reach, check_target
from jobcast.domain.errors import InvalidJson, InvalidRequest
from jobcast.domain.job import Job
from jobcast.domain.json import dumps
from jobcast.domain.lifecycle import first_state
from jobcast.domain.times import parse_iso
from jobcast.runtime import audit
from jobcast.services.refusals import Quota, refused, too_large
from jobcast.store.base import TypeInfo
from jobcast.wire.decoding import decode_naming_all

# `$` alone would take a newline behind the name.
NAME: Final = r"^[A-Za-z0-9._:-]{1,100}$(?!\n)"
CHANNEL: Final = r"^[a-z0-9:_.-]{1,128}$(?!\n)"
MAX_DELAY_MS: Final = 366 * 24 * 3_600_000
"""A job may be put off by a year."""

MAX_TIMEOUT_MS: Final = 7 * 24 * 3_600_000
"""A run may take a week."""

Body = TypeVar("Body", bound=msgspec.Struct)
Name = Annotated[str, Meta(pattern=NAME)]

# What the description says beyond the type; it is judged here, in our own sentences.
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Object = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]
Url = Annotated[
    str, Meta(max_length=2048, extra_json_schema={"format": "uri", "pattern": "^https?://"})
]


class JobBody(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """The body of POST /jobs."""

    type: Name
    payload: Object | UnsetType = UNSET
    webhook_url: Url | None = None
    queue: Name | None = None
    priority: Annotated[int, Meta(ge=-100, le=100)] = 0
    run_at: Moment | None = None
    delay_ms: Annotated[int, Meta(ge=0, le=MAX_DELAY_MS)] | None = None
    max_attempts: Annotated[int, Meta(ge=1, le=100)] | None = None
    timeout_ms: Annotated[int, Meta(ge=1, le=MAX_TIMEOUT_MS)] | None = None
    tags: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=20)
    ] = []
    unique_key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    channel: Annotated[str, Meta(pattern=CHANNEL)] | None = None
    tenant_id: Name | None = None
    watch_token: bool = False


class BatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /jobs/batch."""

    jobs: Annotated[list[JobBody], Meta(min_length=1)]


NAMES: Final = "Use 1 to 100 of A-Z a-z 0-9 . _ : -"

_SENTENCES: Final = {
    "type": NAMES,
    "queue": NAMES,
    "tenantId": NAMES,
    "channel": "Use 1 to 128 of a-z 0-9 : _ . -",
}
_FIELD: Final = re.compile(r"([A-Za-z]+)$")


def parse_job(data: bytes | str) -> JobBody:
    """One body; raises InvalidRequest with a sentence for each bad field."""
    return _parse(data, JobBody)


def parse_batch(data: bytes | str, *, most: int) -> list[JobBody]:
    """The bodies of a batch, 1 to `most`; raises InvalidRequest."""
    jobs = _parse(data, BatchBody).jobs
    if len(jobs) > most:
        refused(Quota.BATCH)
        raise _field("jobs", f"Expected array of length <= {most}")
    return jobs


def _parse(data: bytes | str, kind: type[Body]) -> Body:
    try:
        return decode_naming_all(data, kind)
    except InvalidRequest as problem:
        if problem.fields is None:
            raise
        fields = {}
        for path, sentences in problem.fields.items():
            last = _FIELD.search(path)
            known = _SENTENCES.get(last.group(1)) if last else None
            pattern = any("regex" in sentence for sentence in sentences)
            fields[path] = [known] if known and pattern else list(sentences)
        raise InvalidRequest(problem.message, fields=fields) from None


def payload_text(raw: Raw | UnsetType, *, limit: int) -> str:
    """The payload's own text; raises where it is no object, or larger than `limit` bytes."""
    if raw is UNSET:
        return "{}"
    data = bytes(raw)
    if len(data) > limit:
        sentence = f"The payload is larger than {limit} bytes. Store it, and send its address."
        raise too_large(Quota.PAYLOAD, sentence)
    if not data.lstrip().startswith(b"{"):
        raise InvalidRequest("Validation error", fields={"payload": ["Expected an object"]})
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidJson("Invalid JSON: the payload is not UTF-8") from None


def make_job(
    body: JobBody,
    payload: str,
    info: TypeInfo,
    *,
    job_id: str,
    tenant_id: str,
    user_id: str | None,
    now: int,
    reach: Reach,
    traceparent: str | None = None,
) -> Job:
    """The job that a checked body asks for.

    Raises InvalidRequest for times that make no sense, and for a webhook outside of `reach`.
    """
    run_at = _run_at(body, now)
    return Job(
        id=job_id,
        tenant_id=tenant_id,
        user_id=user_id,
        queue=body.queue or info.queue,
        type=body.type,
        state=first_state(run_at, now=now),
        payload=payload,
        priority=body.priority,
        max_attempts=body.max_attempts or info.max_attempts,
        timeout_ms=body.timeout_ms or info.timeout_ms,
        tags=dumps(list(dict.fromkeys(body.tags))) if body.tags else "[]",
        run_at=run_at,
        created_at=now,
        updated_at=now,
        unique_key=body.unique_key,
        channel=body.channel,
        webhook_url=_webhook_url(body.webhook_url, reach),
        traceparent=traceparent,
    )


def _run_at(body: JobBody, now: int) -> int:
    if body.run_at is not None and body.delay_ms is not None:
        raise _field("runAt", "Give runAt or delayMs, not both")
    if body.delay_ms is not None:
        return now + body.delay_ms
    if body.run_at is None:
        return now
    try:
        moment = parse_iso(body.run_at)
    except ValueError as problem:
        raise _field("runAt", str(problem)) from None
    if moment > now + MAX_DELAY_MS:
        raise _field("runAt", "A job may be put off by a year at most")
    return max(moment, now)


def _webhook_url(url: str | None, reach: Reach) -> str | None:
    """The address, unless it is refused by how it is written; the rest is seen at delivery."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https") or not url.isprintable():
        raise _field("webhookUrl", "Expected an http:// or https:// URL")
    if "@" in parts.netloc:
        raise _field("webhookUrl", "A URL with a user name or password is refused")
    try:
        if host.isascii():
            check_target(scheme=parts.scheme, host=host, port=port, userinfo=False, reach=reach)
    except ValueError as problem:
        audit.stranger("address refused", host=host[:200], port=port, reason=str(problem))
        raise _field("webhookUrl", f"This address is refused: {problem}") from None
    return url


def _field(name: str, sentence: str) -> InvalidRequest:
    return InvalidRequest("Validation error", fields={name: [sentence]})
