"""What the statements have in common.

`$1` of those that need the time is a moment in milliseconds, or NULL for the database's own clock:
leases and deadlines are measured by one clock, however many machines there are.
"""

from typing import Final

NOW: Final = "coalesce($1::bigint, (extract(epoch FROM statement_timestamp()) * 1000)::bigint)"

CHANGE: Final = "pg_current_xact_id()::text::bigint"
"""What orders status events of a tenant: the transaction that committed them."""

JOB_COLUMNS: Final = (
    "id, tenant_id, user_id, queue, type, state, payload, priority, max_attempts, timeout_ms, tags,"
    " run_at, created_at, updated_at, unique_key, channel, webhook_url, seq, run, attempts, deaths,"
    " cancel_requested, session_id, deadline_at, started_at, finished_at, result, error, progress,"
    " reply_to, traceparent"
)
"""In the order of the fields of `domain.job.Job`."""

JOB: Final = JOB_COLUMNS.replace("id,", "id::text AS id,", 1)
"""As they are told: the id of a job is text on both ways, and its 16 bytes here alone."""

WITHOUT_PAYLOAD: Final = JOB.replace(" payload,", " '' AS payload,", 1)
