"""The statements of jobs that run, or are about to."""

from jobcast.store.postgres.sql.words import CHANGE, NOW, WITHOUT_PAYLOAD

APPEND = f"""
    WITH given AS (
        SELECT * FROM json_to_recordset($2::text::json)
            AS given (id uuid, run int, session_id text, count bigint, progress text)
    ), locked AS MATERIALIZED (
        SELECT id, run, session_id, state FROM jobs WHERE id = ANY(ARRAY(SELECT id FROM given))
        ORDER BY id FOR UPDATE
    ), held AS MATERIALIZED (
        SELECT id, given.count, given.progress FROM locked JOIN given USING (id, run, session_id)
        WHERE state = 'PROCESSING'
    ), advanced AS (
        UPDATE jobs SET
            seq = jobs.seq + held.count, progress = coalesce(held.progress, jobs.progress),
            updated_at = CASE WHEN held.count > 0 THEN {NOW} ELSE jobs.updated_at END
        FROM held WHERE jobs.id = held.id
        RETURNING jobs.id, jobs.tenant_id, jobs.type, jobs.run, jobs.channel,
            jobs.seq - held.count AS before
    ), told AS (
        INSERT INTO events (job_id, seq, tenant_id, type, status, attempt, at, change, data)
        SELECT advanced.id, advanced.before + draft.nth, advanced.tenant_id, draft.type,
            'PROCESSING', advanced.run, draft.at, NULL, draft.data
        FROM json_to_recordset($3::text::json)
            AS draft (id uuid, run int, nth bigint, type text, at bigint, data text)
        JOIN advanced ON advanced.id = draft.id AND advanced.run = draft.run
    )
    SELECT id::text AS id, tenant_id, type, run, channel, before FROM advanced
"""  # noqa: S608
"""Raises the seq of live runs by what they wrote, under their fence, and stores it numbered."""

DONE = f"""
    WITH given AS (
        SELECT * FROM json_to_recordset($2::text::json)
            AS given (id uuid, run int, session_id text, result text)
    ), locked AS MATERIALIZED (
        SELECT id, run, session_id, state, webhook_url FROM jobs
        WHERE id = ANY(ARRAY(SELECT id FROM given))
        ORDER BY id FOR UPDATE
    ), held AS MATERIALIZED (
        SELECT id, given.result FROM locked JOIN given USING (id, run, session_id)
        WHERE state = 'PROCESSING' AND webhook_url IS NULL
    ), done AS (
        UPDATE jobs SET
            state = 'DONE', seq = jobs.seq + 1, attempts = jobs.attempts + 1,
            result = held.result, error = NULL, session_id = NULL, deadline_at = NULL,
            updated_at = {NOW}, finished_at = {NOW}
        FROM held WHERE jobs.id = held.id
        RETURNING jobs.*
    ), told AS (
        INSERT INTO events (job_id, seq, tenant_id, type, status, attempt, at, change, data)
        SELECT id, seq, tenant_id, 'job:done', 'DONE', run, finished_at, {CHANGE}, NULL FROM done
    ), counted AS (
        INSERT INTO rollups AS sums
            (minute, tenant_id, type, shard, submitted, done, failed, cancelled, retried, run_ms)
        SELECT {NOW} / 60000 * 60000, tenant_id, type, $3::int, 0, count(*), 0, 0, 0,
            sum(finished_at - started_at)
        FROM done GROUP BY tenant_id, type ORDER BY tenant_id, type
        ON CONFLICT (minute, tenant_id, type, shard) DO UPDATE SET
            done = sums.done + excluded.done, run_ms = sums.run_ms + excluded.run_ms
    )
    SELECT {WITHOUT_PAYLOAD}, {CHANGE} AS change FROM done
"""  # noqa: S608
"""The commonest end, in one statement: success without a webhook.

Here and in APPEND the rows are locked by their ids alone and looked at afterwards: the index of
running jobs, small as it seems to the planner, is full of entries of jobs that ran."""

MAKE_READY = f"""
    UPDATE jobs SET state = 'READY' WHERE id = ANY(ARRAY(
        SELECT id FROM jobs WHERE state = 'SCHEDULED' AND run_at <= {NOW}
        ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ))
"""  # noqa: S608

SAVE_FILE = f"""
    INSERT INTO files (job_id, name, content_type, size, created_at, data)
    SELECT $2::text::uuid, $3, $4, $5, {NOW}, $6 WHERE EXISTS (
        SELECT 1 FROM jobs
        WHERE id = $2::text::uuid AND run = $7 AND session_id = $8 AND state = 'PROCESSING'
    )
    ON CONFLICT (job_id, name) DO UPDATE SET
        content_type = excluded.content_type, size = excluded.size,
        created_at = excluded.created_at, data = excluded.data
"""  # noqa: S608
