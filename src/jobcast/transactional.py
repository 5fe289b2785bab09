"""`jobcast.submit`: a job that exists if and only if the user's own transaction commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jobcast.domain.job import Job


async def submit(
    type: str,
    payload: Any = None,
    *,
    connection: Any,
    tenant: str | None = None,
    queue: str | None = None,
    priority: int | None = None,
    run_at: datetime | None = None,
    delay_ms: int | None = None,
    max_attempts: int | None = None,
    timeout_ms: int | None = None,
    tags: Sequence[str] | None = None,
    unique_key: str | None = None,
    webhook_url: str | None = None,
    channel: str | None = None,
    idempotency_key: str | None = None,
) -> Job:
    """Submits a job inside the transaction that `connection` is in, on Jobcast's own database.

    `connection` is one of asyncpg, psycopg 3 (sync or async) or SQLAlchemy (sync or async); it is
    the caller's, who commits or rolls back. The job is claimed once that has committed, within
    the polling interval of the workers. `payload` becomes a JSON object; the rest is as in POST
    /jobs. A `unique_key` that is live in another open transaction is waited for.
    Raises InvalidRequest with `fields`, UnknownJobType, Conflict for an idempotency key that was
    used with another job, and TypeError for what is no such connection; what the driver raises
    goes through, and leaves the transaction broken, as it always does in PostgreSQL.
    """
    from jobcast.compose.within import submit_within  # with all drivers behind it: only when used

    body = {
        "type": type,
        "payload": {} if payload is None else payload,
        "queue": queue,
        "priority": priority,
        "runAt": None if run_at is None else run_at.astimezone().isoformat(timespec="milliseconds"),
        "delayMs": delay_ms,
        "maxAttempts": max_attempts,
        "timeoutMs": timeout_ms,
        "tags": None if tags is None else list(tags),
        "uniqueKey": unique_key,
        "webhookUrl": webhook_url,
        "channel": channel,
    }
    return await submit_within(
        {name: value for name, value in body.items() if value is not None},
        tenant=tenant,
        idempotency_key=idempotency_key,
        connection=connection,
    )
