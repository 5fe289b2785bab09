"""The statements of a submit, with its keys."""

from typing import Final

from jobcast.store.postgres.sql.words import CHANGE, JOB, NOW

NEW: Final = (
    "id, tenant_id, user_id, queue, type, state, payload, priority, max_attempts, timeout_ms, tags,"
    " run_at, created_at, unique_key, channel, webhook_url, reply_to, traceparent"
)
"""What a job has at its submit; all else begins alike, and is not looked at where it is given."""

INSERT_JOBS = f"""
    WITH fresh AS (
        INSERT INTO jobs
            ({NEW}, lane, updated_at, seq, run, attempts, deaths, cancel_requested)
        SELECT {NEW},
            CASE WHEN EXISTS (
                SELECT 1 FROM job_types AS kind
                WHERE kind.type = given.type AND kind.max_running IS NOT NULL
            ) THEN tenant_id || chr(10) || type ELSE tenant_id END,
            created_at, 1, 0, 0, 0, false
        FROM json_to_recordset($2::text::json) AS given (
            id uuid, tenant_id text, user_id text, queue text, type text, state text, payload text,
            priority int, max_attempts int, timeout_ms bigint, tags text, run_at bigint,
            created_at bigint, unique_key text, channel text, webhook_url text, reply_to text,
            traceparent text
        )
        ON CONFLICT DO NOTHING
        RETURNING id, tenant_id, type, created_at
    ), told AS (
        INSERT INTO events (job_id, seq, tenant_id, type, status, attempt, at, change, data)
        SELECT id, 1, tenant_id, 'job:pending', 'PENDING', 0, created_at, {CHANGE}, NULL
        FROM fresh
    ), counted AS (
        INSERT INTO rollups AS sums
            (minute, tenant_id, type, shard, submitted, done, failed, cancelled, retried, run_ms)
        SELECT {NOW} / 60000 * 60000, tenant_id, type, $3::int, count(*), 0, 0, 0, 0, 0
        FROM fresh GROUP BY tenant_id, type ORDER BY tenant_id, type
        ON CONFLICT (minute, tenant_id, type, shard) DO UPDATE SET
            submitted = sums.submitted + excluded.submitted
    )
    SELECT id::text AS id, {CHANGE} AS change FROM fresh
"""  # noqa: S608
"""Inserts jobs with their first event; answers with those that were not there before."""

INSERT_TAGS = """
    INSERT INTO job_tags (tenant_id, tag, job_id)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[]::uuid[])
    ON CONFLICT DO NOTHING
"""

LOAD_JOBS = f"SELECT {JOB} FROM jobs WHERE id = ANY($1::text[]::uuid[])"  # noqa: S608

KEEP_IDEMPOTENCY = f"""
    INSERT INTO idempotency_keys AS kept (tenant_id, key, digest, job_id, created_at)
    SELECT tenant_id, key, digest, job_id, {NOW}
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]::uuid[])
        AS given (tenant_id, key, digest, job_id)
    ON CONFLICT (tenant_id, key) DO UPDATE SET
        digest = excluded.digest, job_id = excluded.job_id, created_at = excluded.created_at
        WHERE kept.created_at <= {NOW} - $6::bigint
    RETURNING tenant_id, key
"""  # noqa: S608
"""Takes keys, sorted by the caller; answers with those that were free. It waits for whoever is
about to take the same."""

FIND_IDEMPOTENCY = """
    SELECT kept.tenant_id, kept.key, kept.digest, kept.job_id::text FROM idempotency_keys AS kept
    JOIN unnest($1::text[], $2::text[]) AS given (tenant_id, key)
        ON kept.tenant_id = given.tenant_id AND kept.key = given.key
"""

POINT_IDEMPOTENCY = """
    UPDATE idempotency_keys AS kept SET job_id = given.job_id
    FROM unnest($1::text[], $2::text[], $3::text[]::uuid[]) AS given (tenant_id, key, job_id)
    WHERE kept.tenant_id = given.tenant_id AND kept.key = given.key
"""

FIND_UNIQUE = """
    SELECT job.tenant_id, job.type, job.unique_key, job.id::text FROM jobs AS job
    JOIN unnest($1::text[], $2::text[], $3::text[]) AS given (tenant_id, type, unique_key)
        ON job.tenant_id = given.tenant_id AND job.type = given.type
        AND job.unique_key = given.unique_key
    WHERE job.unique_key IS NOT NULL AND job.state IN ('SCHEDULED', 'READY', 'PROCESSING')
"""
