"""The statements of worker sessions: leases, what dies with them, the types they serve."""

from jobcast.store.postgres.sql.words import CHANGE, NOW, WITHOUT_PAYLOAD

OPEN_SESSION = f"""
    INSERT INTO sessions (id, name, started_at, expires_at)
    VALUES ($2, $3, {NOW}, {NOW} + $4::bigint)
"""  # noqa: S608

RENEW_SESSION = f"""
    WITH renewed AS (
        UPDATE sessions SET expires_at = {NOW} + $3::bigint
        WHERE id = $2 AND expires_at > {NOW}
        RETURNING id
    )
    SELECT renewed.id, job.id::text AS cancelled FROM renewed
    LEFT JOIN jobs AS job
        ON job.state = 'PROCESSING' AND job.session_id = renewed.id AND job.cancel_requested
"""  # noqa: S608
"""A renewal touches only a lease that has not run out: a session dies once. Its answer carries
the jobs to cancel."""

DRAIN_SESSION = "UPDATE sessions SET draining = true WHERE id = $1"

CLOSE_SESSION = "DELETE FROM sessions WHERE id = $1"

HELD = """
    SELECT id::text AS id, run FROM jobs
    WHERE state = 'PROCESSING' AND session_id = ANY($1::text[])
"""

HOLD_OFF = f"""
    WITH moment AS (
        SELECT {NOW} AS now
    ), seen AS (
        INSERT INTO counters (name, value) SELECT 'rescue_seen', now FROM moment
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        RETURNING value
    ), held AS (
        INSERT INTO counters AS kept (name, value)
        SELECT 'rescue_held', $2::bigint + CASE WHEN now - (
            SELECT value FROM counters WHERE name = 'rescue_seen'
        ) > $3::bigint THEN now ELSE started END
        FROM moment, (
            SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint AS started
        ) AS server
        WHERE now - started < $2 OR now - (
            SELECT value FROM counters WHERE name = 'rescue_seen'
        ) > $3::bigint
        ON CONFLICT (name) DO UPDATE SET value = greatest(kept.value, excluded.value)
        RETURNING value
    )
    SELECT now >= coalesce(
        (SELECT value FROM held), (SELECT value FROM counters WHERE name = 'rescue_held'), 0
    ) FROM moment, seen
"""  # noqa: S608
"""Whether a rescue may look. When nobody could for longer than $3, the database was away, and all
leases ran out in the hands of the living: for one lease's time ($2) they may renew."""

BURY_SESSIONS = f"""
    DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions WHERE expires_at <= {NOW} ORDER BY id FOR UPDATE
    )
    RETURNING id, draining
"""  # noqa: S608

ORPHANS = f"""
    SELECT id::text AS id, run FROM jobs WHERE state = 'PROCESSING' AND (
        deadline_at <= {NOW} OR session_id NOT IN (SELECT id FROM sessions)
    ) LIMIT $2
"""  # noqa: S608
"""Jobs whose session is gone, and claims past their deadline."""

LOCK_RUNS = f"""
    SELECT {WITHOUT_PAYLOAD}, {NOW} AS now, {CHANGE} AS change
    FROM jobs
    JOIN unnest($2::text[]::uuid[], $3::int[]) AS seen (seen_id, seen_run) ON id = seen_id
    WHERE id = ANY($2::text[]::uuid[]) AND run = seen_run AND state = 'PROCESSING'
    ORDER BY id LIMIT $4 FOR UPDATE OF jobs SKIP LOCKED
"""  # noqa: S608
"""Locks runs that are still the ones that were seen: never one that has begun since."""

CAPS = "SELECT type FROM job_types WHERE max_running IS NOT NULL ORDER BY type FOR UPDATE"

REGISTER_TYPES = f"""
    INSERT INTO job_types
        (type, queue, max_attempts, timeout_ms, max_running, schema, channel, declared_by,
        registered_at)
    SELECT *, {NOW} FROM unnest(
        $2::text[], $3::text[], $4::int[], $5::bigint[], $6::int[], $7::text[], $8::text[],
        $9::text[]
    )
    ON CONFLICT (type) DO UPDATE SET
        queue = excluded.queue, max_attempts = excluded.max_attempts,
        timeout_ms = excluded.timeout_ms, max_running = excluded.max_running,
        schema = excluded.schema, channel = excluded.channel,
        declared_by = excluded.declared_by, registered_at = excluded.registered_at
"""  # noqa: S608

APART = """
    UPDATE jobs SET lane = tenant_id || chr(10) || type WHERE id = ANY(ARRAY(
        SELECT id FROM jobs
        WHERE type = ANY($1::text[]) AND state IN ('SCHEDULED', 'READY', 'PROCESSING')
        ORDER BY id FOR UPDATE
    ))
"""
"""Jobs of a type with a cap wait in lanes of their own, so that a full one is skipped whole."""

TOGETHER = """
    UPDATE jobs SET lane = tenant_id WHERE id = ANY(ARRAY(
        SELECT id FROM jobs
        WHERE type = ANY($1::text[]) AND state IN ('SCHEDULED', 'READY', 'PROCESSING')
        ORDER BY id FOR UPDATE
    ))
"""
