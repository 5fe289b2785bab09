"""A database with a past: many ended jobs with their events, and many that wait."""

from __future__ import annotations

import time
from typing import Final

from bench.queues import servers

TENANTS: Final = 100

ENDED: Final = """
    INSERT INTO jobs (
        id, tenant_id, queue, lane, type, state, payload, priority, max_attempts, timeout_ms, tags,
        run_at, created_at, updated_at, seq, run, attempts, deaths, cancel_requested,
        started_at, finished_at, result
    )
    SELECT {id}, tenant, 'default', tenant, 'noop', 'DONE', {payload}, 0, 3, 600000, '[]',
        at, at, at + 20, 3, 1, 1, 0, false, at + 10, at + 20, '{{"ok":true}}'
    FROM {numbers}
"""

TOLD: Final = """
    INSERT INTO events (job_id, seq, tenant_id, type, status, attempt, at, change)
    SELECT {id}, seq, tenant, 'job:' || lower(status), status, attempt, at + 10 * (seq - 1),
        pg_current_xact_id()::text::bigint
    FROM {numbers},
        (VALUES (1, 'PENDING', 0), (2, 'PROCESSING', 1), (3, 'DONE', 1)) AS s (seq, status, attempt)
"""

WAITING: Final = """
    INSERT INTO jobs (
        id, tenant_id, queue, lane, type, state, payload, priority, max_attempts, timeout_ms, tags,
        run_at, created_at, updated_at, seq, run, attempts, deaths, cancel_requested
    )
    SELECT {id}, 'local', 'default', 'local', 'noop', 'READY', {payload}, 0, 3, 600000, '[]',
        at, at, at, 1, 0, 0, 0, false
    FROM {numbers}
"""

PENDING: Final = """
    INSERT INTO events (job_id, seq, tenant_id, type, status, attempt, at, change)
    SELECT {id}, 1, 'local', 'job:pending', 'PENDING', 0, at, pg_current_xact_id()::text::bigint
    FROM {numbers}
"""

NUMBERS: Final = """
    (
        SELECT n, {since} + n AS at, 'tenant-' || n % {tenants} AS tenant,
            lpad(to_hex({since} + n), 12, '0') AS hex
        FROM generate_series({first}, {last}) AS n
    ) AS numbers
"""

ID: Final = (
    "(substr(hex, 1, 8) || '-' || substr(hex, 9) || '-7000-8000-'"
    " || lpad(to_hex(n), 12, '0'))::uuid"
)
"""UUIDv7, in the order of the numbers."""

PAYLOAD: Final = """'{"text": "' || repeat('x', 138) || '"}'"""


def fill(url: str, *, ended: int, waiting: int) -> None:
    """Ended jobs of 100 tenants, with all their events; and one tenant's jobs that wait.

    One came in each millisecond until now, so that none is old enough to be deleted.
    """
    since = int(time.time() * 1000) - ended - waiting
    past = NUMBERS.format(since=since, tenants=TENANTS, first=1, last=ended)
    queue = NUMBERS.format(since=since, tenants=TENANTS, first=ended + 1, last=ended + waiting)
    servers.run(
        url,
        *(text.format(id=ID, payload=PAYLOAD, numbers=past) for text in (ENDED, TOLD)),
        *(text.format(id=ID, payload=PAYLOAD, numbers=queue) for text in (WAITING, PENDING)),
        "VACUUM (ANALYZE) jobs",
        "VACUUM (ANALYZE) events",
    )
