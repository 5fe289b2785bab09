"""The statements of changes that Python decides: lock, then write what has become of the jobs."""

from jobcast.store.postgres.sql.words import CHANGE, JOB, NOW, WITHOUT_PAYLOAD

LOCK_JOBS = f"""
    SELECT {WITHOUT_PAYLOAD}, {NOW} AS now, {CHANGE} AS change
    FROM jobs WHERE id = ANY($2::text[]::uuid[])
    ORDER BY id FOR UPDATE
"""  # noqa: S608

LOCK_JOB = f"""
    SELECT {JOB}, {NOW} AS now, {CHANGE} AS change
    FROM jobs WHERE id = $2::text::uuid
    FOR UPDATE
"""  # noqa: S608

UPDATE_JOBS = """
    UPDATE jobs SET
        state = new.state, updated_at = new.updated_at, run_at = new.run_at, seq = new.seq,
        run = new.run, attempts = new.attempts, deaths = new.deaths,
        cancel_requested = new.cancel_requested, session_id = new.session_id,
        deadline_at = new.deadline_at, started_at = new.started_at,
        finished_at = new.finished_at, result = new.result, error = new.error,
        progress = new.progress
    FROM unnest(
        $1::text[]::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[],
        $7::int[], $8::int[], $9::boolean[], $10::text[], $11::bigint[], $12::bigint[],
        $13::bigint[], $14::text[], $15::text[], $16::text[]
    ) AS new (id, state, updated_at, run_at, seq, run, attempts, deaths, cancel_requested,
              session_id, deadline_at, started_at, finished_at, result, error, progress)
    WHERE jobs.id = new.id
"""

PUT_BACK = """
    UPDATE jobs SET
        payload = coalesce($2, payload),
        lane = CASE WHEN EXISTS (
            SELECT 1 FROM job_types AS kind
            WHERE kind.type = jobs.type AND kind.max_running IS NOT NULL
        ) THEN tenant_id || chr(10) || type ELSE tenant_id END
    WHERE id = $1::text::uuid
"""

INSERT_EVENTS = """
    INSERT INTO events (job_id, seq, tenant_id, type, status, attempt, at, change, data)
    SELECT * FROM unnest(
        $1::text[]::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::int[],
        $7::bigint[], $8::bigint[], $9::text[]
    )
"""

INSERT_DELIVERIES = """
    INSERT INTO deliveries
        (id, job_id, tenant_id, url, endpoint, body, seq, state, attempts, due_at, created_at)
    SELECT * FROM unnest(
        $1::text[], $2::text[]::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
        $7::bigint[], $8::text[], $9::int[], $10::bigint[], $11::bigint[]
    )
"""

ADD_ROLLUPS = """
    INSERT INTO rollups AS sums
        (shard, minute, tenant_id, type, submitted, done, failed, cancelled, retried, run_ms)
    SELECT $10::int, * FROM unnest(
        $1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::bigint[], $9::bigint[]
    )
    ON CONFLICT (minute, tenant_id, type, shard) DO UPDATE SET
        submitted = sums.submitted + excluded.submitted, done = sums.done + excluded.done,
        failed = sums.failed + excluded.failed, cancelled = sums.cancelled + excluded.cancelled,
        retried = sums.retried + excluded.retried, run_ms = sums.run_ms + excluded.run_ms
"""
"""Each process adds to a shard of its own now and then another's, so few wait for each other."""
