"""What is measured of Jobcast alone: its log, its truth, and a table with a past."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Final

from bench.queues import crowd
from bench.queues.measures import drain
from bench.queues.servers import Servers, value
from bench.queues.systems import JOBCAST

LOG: Final = "SELECT pg_current_wal_lsn() - '0/0'"
"""Bytes that the whole server has ever written ahead."""

SPAN: Final = """
    SELECT max(finished_at) - min(started_at) FROM (
        SELECT finished_at, started_at FROM jobs
        WHERE state = 'DONE' AND started_at >= {since} ORDER BY finished_at LIMIT {jobs}
    ) AS first
"""
"""Milliseconds by the database's clock, from the first start to the end of the last of so many."""

MISSING: Final = """
    SELECT {jobs} - count(*) FROM jobs AS job
    WHERE state = 'DONE' AND result IS NOT NULL
        AND 3 = (SELECT count(*) FROM events WHERE job_id = job.id)
"""
"""Jobs without their end, their result or one of their three events."""


def drained(servers: Servers, jobs: int) -> dict[str, Any]:
    """The drain, with the bytes of log from the submit to the end of each job."""
    with JOBCAST.on(servers) as stage:
        servers.rest()
        before = value(stage.url, LOG)
        stage.play("fill", str(jobs))
        found = drain(stage, servers, jobs)
        after = value(stage.url, LOG)
        missing = value(stage.url, MISSING.format(jobs=jobs))
        assert missing == 0, f"{missing} jobs are not whole"
        span = value(stage.url, SPAN.format(since=0, jobs=jobs))
    rate = jobs * 1000 / float(span)
    return {**found, "rate_in_database": rate, "wal_bytes": float(after - before) / jobs}


def crowded(servers: Servers, jobs: int, *, ended: int, waiting: int) -> dict[str, Any]:
    """The same drain where many jobs have ended and many more wait in the same queue.

    It is over when as many have ended as in the other; by the database's clock.
    """
    with JOBCAST.on(servers) as stage:
        crowd.fill(stage.url, ended=ended, waiting=waiting)
        servers.rest()
        since = int(time.time() * 1000)
        found = drain(replace(stage, left=lambda: False), servers, jobs)
        span = value(stage.url, SPAN.format(since=since, jobs=jobs))
    return {**found, "ended": ended, "waiting": waiting, "rate": jobs * 1000 / float(span)}
