"""The hot statements of the SQLite driver, whole.

Each works on a batch. `{rows}` is where the batch's rows stand as VALUES; `Batch.sql` repeats
the row's placeholders. Those that read answer with one row: a JSON array of all they found.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

MAX_ROWS: Final = 500
"""Rows in one statement: SQLite takes 32,766 parameters, and 32 columns make 16,000."""

JOB_COLUMNS: Final = (
    "id, tenant_id, user_id, queue, type, state, payload, priority, max_attempts, timeout_ms, tags,"
    " run_at, created_at, updated_at, unique_key, channel, webhook_url, seq, run, attempts, deaths,"
    " cancel_requested, session_id, deadline_at, started_at, finished_at, result, error, progress,"
    " reply_to, traceparent"
)
"""In the order of the fields of `domain.job.Job`."""

_WITHOUT_PAYLOAD: Final = JOB_COLUMNS.replace(" payload,", " '',", 1)


class Batch:
    """A statement with a `{rows}` of `width` columns in it."""

    def __init__(self, text: str, *, width: int) -> None:
        self._text = text
        self._row = "(" + ", ".join("?" * width) + ")"
        self.sql: Callable[[int], str] = lru_cache(maxsize=MAX_ROWS + 1)(self._sql)

    def _sql(self, count: int) -> str:
        return self._text.format(rows=", ".join([self._row] * count))


INSERT_JOBS = Batch(
    f"INSERT INTO jobs ({JOB_COLUMNS}, lane) VALUES {{rows}} ON CONFLICT (id) DO NOTHING",  # noqa: S608
    width=32,
)

INSERT_EVENTS = Batch(
    """
    INSERT INTO events (job_id, seq, tenant_id, type, status, attempt, at, change, data)
    VALUES {rows} ON CONFLICT (job_id, seq) DO NOTHING
    """,
    width=9,
)

WITH_EVENTS = Batch(
    "SELECT json_group_array(DISTINCT job_id) FROM events WHERE job_id IN (VALUES {rows})",
    width=1,
)

INSERT_TAGS = Batch(
    "INSERT INTO job_tags (tenant_id, tag, job_id) VALUES {rows} ON CONFLICT DO NOTHING",
    width=3,
)

LOAD_JOBS = Batch(
    f"SELECT json_group_array(json_array({JOB_COLUMNS})) FROM jobs WHERE id IN (VALUES {{rows}})",  # noqa: S608
    width=1,
)

LOAD_JOBS_WITHOUT_PAYLOAD = Batch(
    f"SELECT json_group_array(json_array({_WITHOUT_PAYLOAD}))"  # noqa: S608
    " FROM jobs WHERE id IN (VALUES {rows})",
    width=1,
)

UPDATE_JOBS = Batch(
    """
    WITH new (id, state, updated_at, run_at, seq, run, attempts, deaths, cancel_requested,
              session_id, deadline_at, started_at, finished_at, result, error, progress)
    AS (VALUES {rows})
    UPDATE jobs SET
        state = new.state, updated_at = new.updated_at, run_at = new.run_at, seq = new.seq,
        run = new.run, attempts = new.attempts, deaths = new.deaths,
        cancel_requested = new.cancel_requested, session_id = new.session_id,
        deadline_at = new.deadline_at, started_at = new.started_at,
        finished_at = new.finished_at, result = new.result, error = new.error,
        progress = new.progress
    FROM new WHERE jobs.id = new.id
    """,
    width=16,
)

ADVANCE_JOBS = Batch(
    """
    WITH new (id, seq, progress, updated_at) AS (VALUES {rows})
    UPDATE jobs SET
        seq = new.seq,
        progress = coalesce(new.progress, jobs.progress),
        updated_at = new.updated_at
    FROM new WHERE jobs.id = new.id
    """,
    width=4,
)

LOAD_FENCES = Batch(
    """
    SELECT json_group_array(json_array(
        id, tenant_id, type, seq, run, session_id, channel
    )) FROM jobs WHERE state = 'PROCESSING' AND id IN (VALUES {rows})
    """,
    width=1,
)

PUT_BACK = "UPDATE jobs SET payload = coalesce(?, payload), lane = ? WHERE id = ?"

QUEUES = """
    WITH RECURSIVE waiting (queue) AS (
        SELECT min(queue) FROM jobs WHERE state = 'READY'
        UNION ALL
        SELECT (
            SELECT min(job.queue) FROM jobs AS job
            WHERE job.state = 'READY' AND job.queue > waiting.queue
        )
        FROM waiting WHERE waiting.queue IS NOT NULL
    )
    SELECT json_group_array(queue) FROM waiting WHERE queue IS NOT NULL
"""
"""Every queue in which a job is ready: a skip scan as well."""

PAUSED = "SELECT json_group_array(name) FROM queues WHERE paused"

LANES = """
    WITH RECURSIVE lanes (lane) AS (
        SELECT min(lane) FROM jobs WHERE state = 'READY' AND queue = ?1 AND lane >= ?2
            AND EXISTS (SELECT 1 FROM sessions WHERE id = ?5 AND expires_at > ?6)
        UNION ALL
        SELECT (
            SELECT min(job.lane) FROM jobs AS job
            WHERE job.state = 'READY' AND job.queue = ?1 AND job.lane > lanes.lane
        )
        FROM lanes WHERE lanes.lane IS NOT NULL
    ), named (lane, tenant, type) AS (
        SELECT lane, substr(lane, 1, instr(lane || char(10), char(10)) - 1),
            substr(lane, instr(lane || char(10), char(10)) + 1)
        FROM lanes WHERE lane IS NOT NULL
    ), waiting AS (
        SELECT lane, tenant FROM named
        WHERE type NOT IN (SELECT value FROM json_each(?4))
            AND tenant NOT IN (SELECT value FROM json_each(?7))
        LIMIT ?3
    )
    SELECT json_group_array(json_array(waiting.lane, tenants.weight, tenants.max_running))
    FROM waiting LEFT JOIN tenants ON tenants.id = waiting.tenant
"""
"""A skip scan: one look into the index for each lane, however many jobs wait in it.

Lanes of the types of ?4 and of the tenants of ?7, which are at their cap, are passed over. There is
nothing to claim for a session (?5) whose lease has run out: it would only be rescued from it.
"""

PICK = Batch(
    f"""
    WITH picks (place, lane) AS (VALUES {{rows}})
    SELECT json_group_array(json_array(place, {JOB_COLUMNS}))
    FROM picks CROSS JOIN jobs
    WHERE jobs.rowid IN (
        SELECT next.rowid FROM jobs AS next
        WHERE next.state = 'READY' AND next.queue = ? AND next.lane = picks.lane
        ORDER BY next.priority DESC, next.id LIMIT ?
    )
    """,  # noqa: S608
    width=2,
)
"""The first few jobs of each lane, each lane a range of the index."""

RUNNING_OF_TYPES = """
    SELECT json_group_object(type, running) FROM (
        SELECT type, count(*) AS running FROM jobs
        WHERE state = 'PROCESSING' AND session_id IS NOT NULL GROUP BY type
    )
"""

RUNNING_OF_TENANTS = """
    SELECT json_group_object(tenant_id, running) FROM (
        SELECT tenant_id, count(*) AS running FROM jobs
        WHERE state = 'PROCESSING' AND session_id IS NOT NULL AND queue <> 'jobcast/bulk'
        GROUP BY tenant_id
    )
"""

NEXT_CHANGE = "UPDATE counters SET value = value + 1 WHERE name = 'change' RETURNING value"

FIND_IDEMPOTENCY = Batch(
    """
    SELECT json_group_array(json_array(tenant_id, key, digest, job_id)) FROM idempotency_keys
    WHERE (tenant_id, key) IN (VALUES {rows}) AND created_at > ?
    """,
    width=2,
)

KEEP_IDEMPOTENCY = Batch(
    """
    INSERT INTO idempotency_keys (tenant_id, key, digest, job_id, created_at) VALUES {rows}
    ON CONFLICT (tenant_id, key) DO UPDATE SET
        digest = excluded.digest, job_id = excluded.job_id, created_at = excluded.created_at
    """,
    width=5,
)

FIND_UNIQUE = Batch(
    """
    SELECT json_group_array(json_array(tenant_id, type, unique_key, id)) FROM jobs
    WHERE (tenant_id, type, unique_key) IN (VALUES {rows})
        AND unique_key IS NOT NULL AND state IN ('SCHEDULED', 'READY', 'PROCESSING')
    """,
    width=3,
)

INSERT_DELIVERIES = Batch(
    """
    INSERT INTO deliveries
        (id, job_id, tenant_id, url, endpoint, body, seq, state, attempts, due_at, created_at)
    VALUES {rows}
    """,
    width=11,
)

ADD_ROLLUPS = Batch(
    """
    INSERT INTO rollups
        (minute, tenant_id, type, submitted, done, failed, cancelled, retried, run_ms)
    VALUES {rows}
    ON CONFLICT (minute, tenant_id, type, shard) DO UPDATE SET
        submitted = submitted + excluded.submitted, done = done + excluded.done,
        failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled,
        retried = retried + excluded.retried, run_ms = run_ms + excluded.run_ms
    """,
    width=9,
)

DUE = """
    SELECT json_group_array(id) FROM (
        SELECT id FROM jobs WHERE state = 'SCHEDULED' AND run_at <= ? ORDER BY run_at LIMIT ?
    )
"""

MAKE_READY = Batch("UPDATE jobs SET state = 'READY' WHERE id IN (VALUES {rows})", width=1)

HELD = """
    SELECT json_group_array(id) FROM (
        SELECT id FROM jobs WHERE state = 'PROCESSING' AND session_id = ? LIMIT ?
    )
"""

ORPHANS = """
    SELECT json_group_array(id) FROM (
        SELECT id FROM jobs WHERE state = 'PROCESSING' AND (
            deadline_at <= ?1 OR session_id NOT IN (SELECT id FROM sessions)
        ) LIMIT ?2
    )
"""
"""Jobs whose session is gone, and claims past their deadline."""

DRAINED = "SELECT json_group_array(id) FROM sessions WHERE draining AND expires_at <= ?"
BURY_SESSIONS = "DELETE FROM sessions WHERE expires_at <= ?"
DISOWN_SESSIONS = "UPDATE sessions SET expires_at = 0"
OPEN_SESSION = "INSERT INTO sessions (id, name, started_at, expires_at) VALUES (?, ?, ?, ?)"
RENEW_SESSION = "UPDATE sessions SET expires_at = ? WHERE id = ? AND expires_at > ?"
DRAIN_SESSION = "UPDATE sessions SET draining = 1 WHERE id = ?"
CLOSE_SESSION = "DELETE FROM sessions WHERE id = ?"
TO_CANCEL = """
    SELECT json_group_array(id) FROM jobs
    WHERE state = 'PROCESSING' AND session_id = ? AND cancel_requested
"""

SAVE_FILE = """
    INSERT INTO files (job_id, name, content_type, size, created_at, data)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (
        SELECT 1 FROM jobs
        WHERE id = ?1 AND run = ?7 AND session_id = ?8 AND state = 'PROCESSING'
    )
    ON CONFLICT (job_id, name) DO UPDATE SET
        content_type = excluded.content_type, size = excluded.size,
        created_at = excluded.created_at, data = excluded.data
"""

REGISTER_TYPES = Batch(
    """
    INSERT INTO job_types
        (type, queue, max_attempts, timeout_ms, max_running, schema, channel, declared_by,
        registered_at)
    VALUES {rows}
    ON CONFLICT (type) DO UPDATE SET
        queue = excluded.queue, max_attempts = excluded.max_attempts,
        timeout_ms = excluded.timeout_ms, max_running = excluded.max_running,
        schema = excluded.schema, channel = excluded.channel,
        declared_by = excluded.declared_by, registered_at = excluded.registered_at
    """,
    width=9,
)

CAPS = """
    SELECT json_group_object(type, max_running) FROM job_types WHERE max_running IS NOT NULL
"""

APART = """
    UPDATE jobs SET lane = tenant_id || char(10) || type
    WHERE type = ? AND state IN ('SCHEDULED', 'READY', 'PROCESSING')
"""
"""Jobs of a type with a cap wait in lanes of their own, so that a full one is skipped whole."""

TOGETHER = """
    UPDATE jobs SET lane = tenant_id
    WHERE type = ? AND state IN ('SCHEDULED', 'READY', 'PROCESSING')
"""
