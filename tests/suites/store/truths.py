"""What `jobcast verify` looks at: whole after everything a store does, and each breach is seen."""

from __future__ import annotations

from functools import partial
from typing import Final

import pytest
from sqlalchemy import Connection, text
from tests.suites.workbench import DONE, FAILED, Bench, fence_of

from jobcast.domain.lifecycle import Cancel, Errored
from jobcast.store.verifying import CHECKS, Finding, verify

HOOK: Final = "http://127.0.0.1:9/hook"

BREACHES: Final[dict[str, str]] = {
    "gapless": "DELETE FROM events WHERE type = 'job:log'",
    "events-have-a-job": "DELETE FROM jobs WHERE state = 'CANCELLED'",
    "one-end": """
        INSERT INTO events (job_id, seq, tenant_id, type, status, attempt, at, change, data)
        SELECT job_id, seq + 1, tenant_id, 'job:failed', status, attempt, at, change, data
        FROM events WHERE type = 'job:done'
    """,
    "end-is-told": "UPDATE jobs SET state = 'FAILED' WHERE state = 'DONE'",
    "one-start-a-run": "UPDATE jobs SET run = run + 1 WHERE state = 'DONE'",
    "runs-rise": "UPDATE events SET attempt = 0 WHERE type = 'job:done'",
    "changes": "UPDATE events SET change = NULL WHERE type = 'job:done'",
    "running-is-held": "DELETE FROM sessions",
    "idle-is-free": "UPDATE jobs SET session_id = 's1' WHERE state = 'READY'",
    "finished-at": "UPDATE jobs SET finished_at = NULL WHERE state = 'DONE'",
    "attempts": "UPDATE jobs SET attempts = max_attempts + 1",
    "lanes": "UPDATE jobs SET lane = tenant_id WHERE type = 'gpu'",
    "caps": "UPDATE job_types SET max_running = 0",
    "tenant-caps": "UPDATE tenants SET max_running = 0",
    "unique-keys": "DROP INDEX jobs_unique_key",
    "webhooks": "DELETE FROM deliveries",
    "deliveries": "UPDATE deliveries SET seq = 1",
    "delivery-attempts": "UPDATE deliveries SET attempts = 1",
    "answers": "UPDATE jobs SET finished_at = finished_at - 3600000 WHERE reply_to IS NOT NULL",
    "tags": "DELETE FROM job_tags",
    "files": "UPDATE files SET job_id = '00000000-0000-7000-8000-000000000000'",
    "rollups": "DELETE FROM rollups",
    "keys-have-a-tenant": """
        INSERT INTO api_keys (id, tenant_id, digest, hint, scopes, created_at)
        VALUES ('k', 'nobody', 'd', 'h', '[]', 0)
    """,
}


async def everything(bench: Bench) -> None:
    """A job of every kind, and of every end."""
    await bench.cap("gpu", 1)
    await bench.tenant("acme", max_running=2)
    fence = await bench.start()
    await bench.append(fence, bench.draft('"a line"'))
    await bench.store.save_file(fence, name="a.txt", content_type="text/plain", data=b"a")
    await bench.finish(fence, Errored("once more", bench.clock.now()))
    await bench.store.make_due(limit=10)
    await bench.finish(await bench.again(fence), DONE)
    failed = await bench.ended(FAILED, webhook_url=HOOK)
    await bench.store.resubmit(failed.id, payload=None)
    [retried] = [job for job in await bench.claim(limit=1000) if job.id == failed.id]
    await bench.finish(fence_of(retried), DONE)
    await bench.ended(Cancel())
    await bench.ended(DONE, reply_to="talk:1")  # its answer is under way
    await bench.start(type="gpu")
    await bench.put(type="gpu")
    await bench.put(unique_key="one", tags='["red"]')
    await bench.put(unique_key="two", run_at=bench.clock.now() + 60_000)


async def look(bench: Bench) -> list[Finding]:
    """Every truth, as the store stands."""
    now = bench.clock.now()
    return await bench.store.read(lambda conn: list(verify(conn, now=now, limit=3)))


def _execute(statement: str, conn: Connection) -> None:
    conn.execute(text(statement))


class Truths:
    async def test_all_truths_hold_after_everything_that_a_store_does(self, bench: Bench) -> None:
        await everything(bench)
        assert [finding for finding in await look(bench) if finding.broken] == []

    @pytest.mark.parametrize("name", [check.name for check in CHECKS])
    async def test_a_breach_of_a_truth_is_named(self, bench: Bench, name: str) -> None:
        await everything(bench)
        statements = [BREACHES[name]]
        if name == "unique-keys":
            statements.append("UPDATE jobs SET unique_key = 'one' WHERE unique_key = 'two'")
        for statement in statements:
            await bench.store.write(partial(_execute, statement))
        [finding] = [finding for finding in await look(bench) if finding.name == name]
        assert finding.broken >= 1
        assert 1 <= len(finding.examples) <= 3
