"""What must be true of every database at every moment, and which rows say otherwise.

Plain SQL for every database, one statement for each truth. All of them are to see one snapshot:
then a system under load raises no false alarm.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from sqlalchemy import Connection, text

GRACE_MS: Final = 15_000
"""A dead session is rescued within this time, as the contract of workers says."""

ROLLUPS_MS: Final = 29 * 24 * 3_600_000
"""How far back rollups are compared: a day less than they are kept."""

ANSWERS_MS: Final = 60_000
"""An answer to a message is published within this time, however its worker ended."""


class Check(msgspec.Struct, frozen=True):
    """A truth: `sql` selects the id of each row that breaks it."""

    name: str
    meaning: str
    sql: str


class Finding(msgspec.Struct, frozen=True):
    """How often a truth is broken, with the first few of those that break it."""

    name: str
    meaning: str
    broken: int
    examples: list[str]


CHECKS: Final = (
    Check(
        "gapless",
        "The events of a job are numbered from 1 to its seq, without a gap.",
        """
        SELECT job.id FROM jobs AS job LEFT JOIN (
            SELECT job_id, count(*) AS told, min(seq) AS first, max(seq) AS last
            FROM events GROUP BY job_id
        ) AS story ON story.job_id = job.id
        WHERE coalesce(story.told, 0) <> job.seq OR coalesce(story.last, 0) <> job.seq
            OR story.first <> 1
        """,
    ),
    Check(
        "events-have-a-job",
        "Every event belongs to a job that is there.",
        """
        SELECT DISTINCT job_id FROM events
        WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = events.job_id)
        """,
    ),
    Check(
        "one-end",
        "Behind a terminal event there is only a user's retry: one end for each submission.",
        """
        SELECT DISTINCT job_id FROM (
            SELECT job_id, type, lag(type) OVER (PARTITION BY job_id ORDER BY seq) AS before
            FROM events
        ) AS steps
        WHERE before IN ('job:done', 'job:failed', 'job:cancelled') AND type <> 'job:pending'
        """,
    ),
    Check(
        "end-is-told",
        "The last event of an ended job is its end, and that of a live one is none.",
        """
        SELECT job.id FROM jobs AS job
        LEFT JOIN events ON events.job_id = job.id AND events.seq = job.seq
        WHERE CASE job.state
            WHEN 'DONE' THEN coalesce(events.type, '') <> 'job:done'
            WHEN 'FAILED' THEN coalesce(events.type, '') <> 'job:failed'
            WHEN 'CANCELLED' THEN coalesce(events.type, '') <> 'job:cancelled'
            ELSE coalesce(events.type, '') IN ('', 'job:done', 'job:failed', 'job:cancelled')
        END
        """,
    ),
    Check(
        "one-start-a-run",
        "Each run of a job began once, and its row counts them.",
        """
        SELECT job.id FROM jobs AS job LEFT JOIN (
            SELECT job_id, count(*) AS starts, count(DISTINCT attempt) AS runs,
                max(attempt) AS last
            FROM events WHERE type = 'job:processing' GROUP BY job_id
        ) AS begun ON begun.job_id = job.id
        WHERE coalesce(begun.starts, 0) <> job.run OR coalesce(begun.runs, 0) <> job.run
            OR coalesce(begun.last, 0) <> job.run
        """,
    ),
    Check(
        "runs-rise",
        "The number of the run never falls from one event of a job to the next.",
        """
        SELECT DISTINCT job_id FROM (
            SELECT job_id, attempt, lag(attempt) OVER (PARTITION BY job_id ORDER BY seq) AS before
            FROM events
        ) AS steps
        WHERE attempt < before
        """,
    ),
    Check(
        "changes",
        "Status events carry the number of their change, and no others do.",
        """
        SELECT DISTINCT job_id FROM events
        WHERE (change IS NULL) <> (type IN ('job:log', 'job:progress', 'job:output'))
        """,
    ),
    Check(
        "running-is-held",
        "A running job is held by a live session and has a deadline.",
        """
        SELECT job.id FROM jobs AS job
        WHERE job.state = 'PROCESSING' AND (
            job.deadline_at IS NULL OR NOT EXISTS (
                SELECT 1 FROM sessions
                WHERE sessions.id = job.session_id
                    AND sessions.expires_at > CAST(:now AS BIGINT) - :grace
            )
        )
        """,
    ),
    Check(
        "idle-is-free",
        "A job that does not run is held by nobody.",
        """
        SELECT id FROM jobs
        WHERE state <> 'PROCESSING' AND (session_id IS NOT NULL OR deadline_at IS NOT NULL)
        """,
    ),
    Check(
        "finished-at",
        "A job has a time of its end if and only if it has ended.",
        """
        SELECT id FROM jobs
        WHERE (finished_at IS NULL) = (state IN ('DONE', 'FAILED', 'CANCELLED'))
        """,
    ),
    Check(
        "attempts",
        "A job uses no more attempts than it has, nor more than it has run.",
        "SELECT id FROM jobs WHERE attempts > max_attempts OR attempts > run",
    ),
    Check(
        "lanes",
        "A live job waits in the lane of its tenant, apart where its type is capped.",
        """
        SELECT job.id FROM jobs AS job
        LEFT JOIN job_types AS kind ON kind.type = job.type AND kind.max_running IS NOT NULL
        WHERE job.state IN ('SCHEDULED', 'READY', 'PROCESSING') AND job.lane <> CASE
            WHEN kind.type IS NULL THEN job.tenant_id
            ELSE job.tenant_id || CAST(:apart AS TEXT) || job.type
        END
        """,
    ),
    Check(
        "caps",
        "No more jobs of a type run than its cap allows.",
        """
        SELECT kind.type FROM job_types AS kind
        JOIN jobs AS job ON job.type = kind.type AND job.state = 'PROCESSING'
        WHERE kind.max_running IS NOT NULL
        GROUP BY kind.type, kind.max_running HAVING count(*) > kind.max_running
        """,
    ),
    Check(
        "tenant-caps",
        "No more jobs of a tenant run than its cap allows.",
        """
        SELECT tenant.id FROM tenants AS tenant
        JOIN jobs AS job ON job.tenant_id = tenant.id AND job.state = 'PROCESSING'
            AND job.queue <> 'jobcast/bulk'
        WHERE tenant.max_running IS NOT NULL
        GROUP BY tenant.id, tenant.max_running HAVING count(*) > tenant.max_running
        """,
    ),
    Check(
        "unique-keys",
        "No two live jobs of a tenant and type share a unique key.",
        """
        SELECT min(CAST(id AS TEXT)) FROM jobs
        WHERE unique_key IS NOT NULL AND state IN ('SCHEDULED', 'READY', 'PROCESSING')
        GROUP BY tenant_id, type, unique_key HAVING count(*) > 1
        """,
    ),
    Check(
        "webhooks",
        "Each end of a job that wants a webhook has its delivery.",
        """
        SELECT job.id FROM jobs AS job
        WHERE job.webhook_url IS NOT NULL AND job.state IN ('DONE', 'FAILED', 'CANCELLED')
            AND NOT EXISTS (
                SELECT 1 FROM deliveries
                WHERE deliveries.job_id = job.id AND deliveries.seq = job.seq
            )
        """,
    ),
    Check(
        "deliveries",
        "Each delivery tells of one end of a job, and no two of the same.",
        """
        SELECT min(delivery.id) FROM deliveries AS delivery
        LEFT JOIN events ON events.job_id = delivery.job_id AND events.seq = delivery.seq
            AND events.type IN ('job:done', 'job:failed', 'job:cancelled')
        GROUP BY delivery.job_id, delivery.seq HAVING count(events.seq) <> 1
        """,
    ),
    Check(
        "delivery-attempts",
        "A delivery counts its attempts.",
        """
        SELECT delivery.id FROM deliveries AS delivery LEFT JOIN (
            SELECT delivery_id, count(*) AS made FROM delivery_attempts GROUP BY delivery_id
        ) AS tried ON tried.delivery_id = delivery.id
        WHERE delivery.attempts <> coalesce(tried.made, 0)
        """,
    ),
    Check(
        "answers",
        "A message's job that was done has given its answer to the channel.",
        """
        SELECT id FROM jobs
        WHERE reply_to IS NOT NULL AND state = 'DONE'
            AND finished_at < CAST(:now AS BIGINT) - :answers
        """,
    ),
    Check(
        "tags",
        "Jobs with tags are found by them, and no others.",
        """
        SELECT job.id FROM jobs AS job
        WHERE (job.tags <> '[]') <> (
            EXISTS (
                SELECT 1 FROM job_tags
                WHERE job_tags.job_id = job.id AND job_tags.tenant_id = job.tenant_id
            )
        )
        UNION
        SELECT job_id FROM job_tags
        WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = job_tags.job_id)
        """,
    ),
    Check(
        "files",
        "Every file belongs to a job that is there.",
        """
        SELECT DISTINCT job_id FROM files
        WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = files.job_id)
        """,
    ),
    Check(
        "rollups",
        "The numbers of a tenant's type count at least every end that is still told.",
        """
        SELECT told.tenant_id || ' ' || told.job_type FROM (
            SELECT events.tenant_id, job.type AS job_type, count(*) AS ends
            FROM events JOIN jobs AS job ON job.id = events.job_id
            WHERE events.type IN ('job:done', 'job:failed', 'job:cancelled')
                AND events.at > CAST(:now AS BIGINT) - :rollups
            GROUP BY events.tenant_id, job.type
        ) AS told LEFT JOIN (
            SELECT tenant_id, type, sum(done + failed + cancelled) AS ends
            FROM rollups GROUP BY tenant_id, type
        ) AS counted ON counted.tenant_id = told.tenant_id AND counted.type = told.job_type
        WHERE told.ends > coalesce(counted.ends, 0)
        """,
    ),
    Check(
        "keys-have-a-tenant",
        "Every API key and user belongs to a tenant that is there.",
        """
        SELECT id FROM api_keys
        WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE tenants.id = api_keys.tenant_id)
        UNION ALL
        SELECT id FROM users
        WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE tenants.id = users.tenant_id)
        """,
    ),
)


def verify(conn: Connection, *, now: int, limit: int = 10) -> Iterator[Finding]:
    """Looks at each truth in turn; up to `limit` examples of what breaks it."""
    given = {
        "now": now,
        "grace": GRACE_MS,
        "answers": ANSWERS_MS,
        "rollups": ROLLUPS_MS,
        "apart": "\n",
    }
    for check in CHECKS:
        # Every bit of it is in this module.
        counted = text(f"SELECT count(*) FROM ({check.sql}) AS broken")  # noqa: S608
        wanted = {name: value for name, value in given.items() if f":{name}" in check.sql}
        broken = int(conn.execute(counted, wanted).scalar_one())
        examples: list[str] = []
        if broken:
            some = text(f"SELECT * FROM ({check.sql}) AS broken LIMIT {int(limit)}")  # noqa: S608
            examples = [str(row[0]) for row in conn.execute(some, wanted)]
        yield Finding(check.name, check.meaning, broken, examples)
