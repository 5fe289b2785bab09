"""The hot statements of the PostgreSQL driver, whole.

Each works on a batch. Its columns come as arrays, or, where there are many rows, all of it as one
JSON text: that costs the process that sends it a third of what arrays do. `$1` of those that need
the time is a moment in milliseconds, or NULL for the database's own clock: leases and deadlines are
measured by one clock, however many machines there are.

Rows are locked in the order of their ids, so that no two batches lock each other out; what a
worker takes from a queue is locked with SKIP LOCKED, so that claims don't wait for each other.
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

TAKEN: Final = ", ".join(
    "ordered.id::text AS id" if name == "id" else f"ordered.{name}"
    for name in JOB_COLUMNS.split(", ")
)

WITHOUT_PAYLOAD: Final = JOB.replace(" payload,", " '' AS payload,", 1)


NEW: Final = (
    "id, tenant_id, user_id, queue, type, state, payload, priority, max_attempts, timeout_ms, tags,"
    " run_at, created_at, unique_key, channel, webhook_url, reply_to, traceparent"
)
"""What a job has at its submit; all else begins alike."""

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

INSERT_EVENTS = """
    INSERT INTO events (job_id, seq, tenant_id, type, status, attempt, at, change, data)
    SELECT * FROM unnest(
        $1::text[]::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::int[],
        $7::bigint[], $8::bigint[], $9::text[]
    )
"""

INSERT_TAGS = """
    INSERT INTO job_tags (tenant_id, tag, job_id)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[]::uuid[])
    ON CONFLICT DO NOTHING
"""

LOAD_JOBS = f"SELECT {JOB} FROM jobs WHERE id = ANY($1::text[]::uuid[])"  # noqa: S608

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

# ── submit with keys ──────────────────────────────────────────────────────────────────────────

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

DROP_IDEMPOTENCY = """
    DELETE FROM idempotency_keys AS kept
    USING unnest($1::text[], $2::text[]) AS given (tenant_id, key)
    WHERE kept.tenant_id = given.tenant_id AND kept.key = given.key
"""

FIND_UNIQUE = """
    SELECT job.tenant_id, job.type, job.unique_key, job.id::text FROM jobs AS job
    JOIN unnest($1::text[], $2::text[], $3::text[]) AS given (tenant_id, type, unique_key)
        ON job.tenant_id = given.tenant_id AND job.type = given.type
        AND job.unique_key = given.unique_key
    WHERE job.unique_key IS NOT NULL AND job.state IN ('SCHEDULED', 'READY', 'PROCESSING')
"""

# ── claim ─────────────────────────────────────────────────────────────────────────────────────


def _ring(queue: str, start: str) -> str:
    """A skip scan round the lanes of a queue, as common table expressions: one look into the index
    for each lane, however many jobs wait in it; from `start` to the last lane, and on from the
    first one only as far as $4 wants more."""
    return f"""
    ahead (lane) AS (
        (SELECT lane FROM jobs WHERE state = 'READY' AND queue = {queue} AND lane >= {start}
            AND EXISTS (SELECT 1 FROM sessions WHERE id = $6 AND expires_at > {NOW})
         ORDER BY lane LIMIT 1)
        UNION ALL
        SELECT (
            SELECT job.lane FROM jobs AS job
            WHERE job.state = 'READY' AND job.queue = {queue} AND job.lane > ahead.lane
            ORDER BY job.lane LIMIT 1
        )
        FROM ahead WHERE ahead.lane IS NOT NULL
    ), around (lane) AS (
        (SELECT lane FROM jobs WHERE state = 'READY' AND queue = {queue} AND lane < {start}
            AND EXISTS (SELECT 1 FROM sessions WHERE id = $6 AND expires_at > {NOW})
         ORDER BY lane LIMIT 1)
        UNION ALL
        SELECT (
            SELECT job.lane FROM jobs AS job
            WHERE job.state = 'READY' AND job.queue = {queue} AND job.lane > around.lane
                AND job.lane < {start}
            ORDER BY job.lane LIMIT 1
        )
        FROM around WHERE around.lane IS NOT NULL
    ), waiting AS (
        SELECT lane FROM (SELECT lane FROM ahead UNION ALL SELECT lane FROM around) AS ring
        WHERE lane IS NOT NULL AND split_part(lane, chr(10), 2) <> ALL($5::text[])
            AND split_part(lane, chr(10), 1) <> ALL($7::text[])
        LIMIT $4
    ), lanes AS (
        SELECT waiting.lane, tenant.weight, tenant.max_running FROM waiting LEFT JOIN LATERAL (
            SELECT weight, max_running FROM tenants WHERE id = split_part(waiting.lane, chr(10), 1)
        ) AS tenant ON true
    )"""  # noqa: S608


LANES = f"WITH RECURSIVE {_ring('$2', '$3')} SELECT * FROM lanes"  # noqa: S608
"""The lanes of a queue, each with the weight and the cap of its tenant, from $3 round to it.

Lanes of the types of $5 and of the tenants of $7, which are at their cap, are passed over. There is
nothing to claim for a session ($6) whose lease has run out: it would only be rescued from it.
"""


def _begun(chosen: str, *, session: str, grace: str) -> str:
    """The start of the runs of the jobs whose ids are in `chosen`, and that it is told."""
    return f"""
    claimed AS (
        UPDATE jobs SET
            state = 'PROCESSING', run = run + 1, seq = seq + 1, session_id = {session},
            deadline_at = {NOW} + timeout_ms + {grace}::bigint, started_at = {NOW},
            updated_at = {NOW}, progress = NULL
        WHERE id = ANY(ARRAY(SELECT id FROM {chosen}))
        RETURNING {JOB_COLUMNS}, {CHANGE} AS change
    ), told AS (
        INSERT INTO events (job_id, seq, tenant_id, type, status, attempt, at, change, data)
        SELECT id, seq, tenant_id, 'job:processing', 'PROCESSING', run, started_at, change, NULL
        FROM claimed
    )"""  # noqa: S608


_FIRST = "(SELECT queues[1] FROM queued)"
_START = """(
    SELECT coalesce(($9::text[])[array_position($8::text[], queues[1])], '') FROM queued
)"""

LOOK = f"""
    WITH RECURSIVE ready (queue) AS (
        (SELECT queue FROM jobs WHERE state = 'READY' ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (
            SELECT job.queue FROM jobs AS job
            WHERE job.state = 'READY' AND job.queue > ready.queue
            ORDER BY job.queue LIMIT 1
        )
        FROM ready WHERE ready.queue IS NOT NULL
    ), queued AS MATERIALIZED (
        SELECT array_agg(
            queue ORDER BY array_position($2::text[], queue), queue <= $3, queue
        ) AS queues
        FROM ready
        WHERE queue IS NOT NULL AND ($2::text[] IS NULL OR queue = ANY($2::text[]))
            AND queue NOT IN (SELECT name FROM queues WHERE paused)
    ), {_ring(_FIRST, _START)}, sole AS MATERIALIZED (
        SELECT queued.queues[1] AS queue, lanes.lane FROM queued CROSS JOIN lanes
        WHERE (SELECT count(*) FROM lanes) = 1
            AND lanes.max_running IS NULL AND strpos(lanes.lane, chr(10)) = 0
    ), picked AS MATERIALIZED (
        SELECT next.id FROM sole CROSS JOIN LATERAL (
            SELECT id FROM jobs
            WHERE state = 'READY' AND queue = sole.queue AND lane = sole.lane
            ORDER BY priority DESC, id
            LIMIT $4 FOR UPDATE SKIP LOCKED
        ) AS next
    ), {_begun("picked", session="$6", grace="$10")}, ordered AS (
        SELECT *, row_number() OVER (ORDER BY priority DESC, id) AS nth FROM claimed
    )
    SELECT CASE WHEN coalesce(nth, 1) = 1 THEN queued.queues END AS queues,
        lanes.lane, lanes.weight, lanes.max_running, {TAKEN}, change, nth
    FROM queued LEFT JOIN lanes ON true LEFT JOIN ordered ON true
"""  # noqa: S608
"""Every queue in which a job is ready and that is not paused, by one look into the index for each:
in the order of $2, or, where that is null, from behind $3 round to it. And beside them the lanes of
the first one, as LANES tells them; $8 are queues and $9 where each goes on.

Where that is one lane alone, without a cap, its jobs are taken as well, up to $4: they stand beside
it, `nth` in their order, and the queues beside the first of them."""

LOCK_CAPS = """
    SELECT type, max_running FROM job_types
    WHERE type = ANY($1::text[]) AND max_running IS NOT NULL
    ORDER BY type FOR UPDATE
"""
"""Whoever is about to start jobs of a capped type waits here for the others who do."""

RUNNING_OF_TYPES = """
    SELECT type, count(*) FROM jobs
    WHERE state = 'PROCESSING' AND session_id IS NOT NULL AND type = ANY($1::text[])
    GROUP BY type
"""
"""In a statement of its own, behind the lock: only so it sees what the others started."""

LOCK_TENANT_CAPS = """
    SELECT id, max_running FROM tenants
    WHERE id = ANY($1::text[]) AND max_running IS NOT NULL
    ORDER BY id FOR UPDATE
"""

RUNNING_OF_TENANTS = """
    SELECT tenant_id, count(*) FROM jobs
    WHERE state = 'PROCESSING' AND session_id IS NOT NULL AND tenant_id = ANY($1::text[])
        AND queue <> 'jobcast/bulk'
    GROUP BY tenant_id
"""

TAKE = f"""
    WITH lanes AS (
        SELECT * FROM unnest($2::text[], $3::int[], $10::int[], $11::int[])
            WITH ORDINALITY AS lanes (lane, most, weight, used, place)
    ), picked AS MATERIALIZED (
        SELECT next.id, next.type, next.tenant_id, lanes.place, lanes.weight, lanes.used,
            row_number() OVER (
                PARTITION BY lanes.place ORDER BY next.priority DESC, next.id
            )::int AS turn,
            count(*) OVER (PARTITION BY lanes.place)::int AS of_lane
        FROM lanes CROSS JOIN LATERAL (
            SELECT id, type, tenant_id, priority FROM jobs
            WHERE state = 'READY' AND queue = $4 AND lane = lanes.lane
            ORDER BY priority DESC, id
            LIMIT lanes.most FOR UPDATE SKIP LOCKED
        ) AS next
    ), ring AS (
        SELECT *, (used + turn - 1) / weight AS round FROM picked
    ), fitting AS (
        SELECT id, place, turn, of_lane, round,
            ($8::int[])[array_position($7::text[], type)] AS room,
            row_number() OVER (PARTITION BY type ORDER BY round, place, turn) AS nth,
            ($13::int[])[array_position($12::text[], tenant_id)] AS tenant_room,
            row_number() OVER (PARTITION BY tenant_id ORDER BY round, place, turn) AS tenant_nth
        FROM ring
    ), chosen AS MATERIALIZED (
        SELECT id, place, turn, of_lane, round FROM fitting
        WHERE (room IS NULL OR nth <= room) AND (tenant_room IS NULL OR tenant_nth <= tenant_room)
        ORDER BY round, place, turn LIMIT $5
    ), {_begun("chosen", session="$6", grace="$9")}
    SELECT {JOB}, change, chosen.place, chosen.turn, chosen.of_lane
    FROM claimed JOIN chosen USING (id) ORDER BY chosen.round, chosen.place, chosen.turn
"""  # noqa: S608
"""The first rounds of the lanes of a queue: in each round so many of each lane as its weight, less
what it had of its turn before ($11). $7 and $8 are the capped types among them and how many more of
each may start, $12 and $13 the capped tenants."""

# ── running jobs ──────────────────────────────────────────────────────────────────────────────

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

# ── sessions ──────────────────────────────────────────────────────────────────────────────────

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

# ── job types ─────────────────────────────────────────────────────────────────────────────────

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
