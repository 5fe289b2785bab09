"""A submit inside the user's own PostgreSQL transaction."""

import hashlib
import random
from typing import Any, Final

import msgspec

from jobcast.compose.tracing import tracing_of
from jobcast.domain.addresses import reach_for
from jobcast.domain.errors import JobcastError
from jobcast.domain.job import Job
from jobcast.runtime.clock import SystemClock
from jobcast.runtime.ids import new_id
from jobcast.runtime.tracing import Work
from jobcast.services.job_input import make_job, parse_job, payload_text
from jobcast.services.job_types import check_payload, choose
from jobcast.services.local_key import TENANT
from jobcast.settings import load_settings
from jobcast.store.base import Idempotency, Submit, Submitted, TypeInfo
from jobcast.store.postgres import submitting
from jobcast.store.postgres.foreign import Foreign, speak

SHARDS: Final = range(1_000, 2**31 - 1)
"""Rollups of its own for each transaction: one that is long open keeps nobody waiting."""

TYPES: Final = """
    SELECT type, queue, max_attempts, timeout_ms, max_running, schema FROM job_types
    WHERE type IN ($1, '*') OR NOT EXISTS (SELECT 1 FROM job_types WHERE type IN ($1, '*'))
    LIMIT 2
"""

ENTER_TENANT: Final = """
    INSERT INTO tenants (id, weight, created_at)
    SELECT $1::text, 1, $2::bigint WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE id = $1::text)
    ON CONFLICT DO NOTHING
"""


async def submit_within(
    body: dict[str, Any], *, tenant: str | None, idempotency_key: str | None, connection: Any
) -> Job:
    """Makes a job of the body of POST /jobs, in the transaction that the connection is in."""
    raw = speak(connection)
    asked = parse_job(msgspec.json.encode(body))
    settings = load_settings()
    payload = payload_text(asked.payload, limit=settings.max_payload_bytes)
    rows = await raw.fetch(TYPES, asked.type)
    info = choose({row["type"]: TypeInfo(*row) for row in rows}, asked.type)
    check_payload(info, payload)
    now = SystemClock().now()
    with tracing_of(settings).span(Work.SUBMIT, asked.type, parent=None) as span:
        job = make_job(
            asked,
            payload,
            info,
            job_id=new_id(),
            tenant_id=tenant or TENANT,
            user_id=None,
            now=now,
            reach=reach_for(
                production=settings.env == "production", networks=settings.allowed_networks
            ),
            traceparent=span.traceparent,
        )
        span.note(job_id=job.id, queue=job.queue, tenant=job.tenant_id)
        await raw.execute(ENTER_TENANT, job.tenant_id, now)
        return await _submit(raw, job, idempotency_key)


async def _submit(raw: Foreign, job: Job, idempotency_key: str | None) -> Job:
    key = None
    if idempotency_key is not None:
        digest = hashlib.sha256(f"{job.type}\n{job.payload}".encode()).hexdigest()
        key = Idempotency(idempotency_key, digest)
    shard = random.choice(SHARDS)  # noqa: S311
    [answer] = await submitting.submit(raw, [Submit(job, key)], now=None, shard=shard)
    if isinstance(answer, JobcastError):
        raise answer
    assert isinstance(answer, Submitted)
    return answer.job
