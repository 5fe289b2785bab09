"""The statements of a claim.

What a worker takes is locked with SKIP LOCKED, so that claims don't wait for each other.
"""

from typing import Final

from jobcast.store.postgres.sql.words import CHANGE, JOB, JOB_COLUMNS, NOW


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

TAKEN: Final = ", ".join(
    "ordered.id::text AS id" if name == "id" else f"ordered.{name}"
    for name in JOB_COLUMNS.split(", ")
)

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
