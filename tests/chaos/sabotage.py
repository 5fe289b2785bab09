"""`make sabotage`: faults are planted in a copy of the sources, one at a time.

Each must turn the tests red that are named beside it; one that does not is a hole in the suite.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
POSTGRES = "tests/drivers/test_postgres_store.py"


@dataclass(frozen=True)
class Plant:
    """A fault: in `file`, `old` becomes `new`; `tests` must see it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


PLANTS = (
    Plant(
        "the fence of a finish is dropped",
        "store/postgres/sql/live.py",
        "SELECT id, given.result FROM locked JOIN given USING (id, run, session_id)",
        "SELECT locked.id, given.result FROM locked JOIN given USING (id)",
        (POSTGRES, "-k", "overwrite or stale or newer or end"),
    ),
    Plant(
        "the fence of an append is dropped",
        "store/postgres/sql/live.py",
        "SELECT id, given.count, given.progress FROM locked JOIN given USING (id, run, session_id)",
        "SELECT locked.id, given.count, given.progress FROM locked JOIN given USING (id)",
        (POSTGRES, "-k", "rescued or stale or fence or late"),
    ),
    Plant(
        "run does not rise at a claim",
        "store/postgres/sql/claims.py",
        "state = 'PROCESSING', run = run + 1, seq",
        "state = 'PROCESSING', run = greatest(run, 1), seq",
        (POSTGRES, "-k", "overwrite or newer or rescued"),
    ),
    Plant(
        "events are numbered by who writes them, not by the store",
        "store/postgres/running.py",
        'first = row["before"] + written[item.fence] + 1',
        "first = written[item.fence] + 1",
        (POSTGRES, "-k", "numbering or append"),
    ),
    Plant(
        "a rescue does not remove the session",
        "store/postgres/sessions.py",
        "buried = await raw.fetch(leases.BURY_SESSIONS, now)",
        "buried: list[dict[str, str]] = []",
        (POSTGRES, "-k", "session or rescue"),
    ),
    Plant(
        "a rescue takes whatever run it finds",
        "store/postgres/sql/leases.py",
        "WHERE id = ANY($2::text[]::uuid[]) AND run = seen_run AND state = 'PROCESSING'",
        "WHERE id = ANY($2::text[]::uuid[]) AND run >= seen_run - 1",
        (POSTGRES, "-k", "rescue"),
    ),
    Plant(
        "a cap is counted in the statement of its lock",
        "store/postgres/claiming.py",
        "running = dict(await self._raw.fetch(self._running, new))",
        "running: dict[str, int] = {}",
        (POSTGRES, "-k", "cap"),
    ),
    Plant(
        "caps are counted without the lock",
        "store/postgres/sql/claims.py",
        "WHERE type = ANY($1::text[]) AND max_running IS NOT NULL\n    ORDER BY type FOR UPDATE",
        "WHERE type = ANY($1::text[]) AND max_running IS NOT NULL\n    ORDER BY type",
        (POSTGRES, "-k", "cap_holds_over"),
    ),
    Plant(
        "caps of tenants are counted without the lock",
        "store/postgres/sql/claims.py",
        "WHERE id = ANY($1::text[]) AND max_running IS NOT NULL\n    ORDER BY id FOR UPDATE",
        "WHERE id = ANY($1::text[]) AND max_running IS NOT NULL\n    ORDER BY id",
        (POSTGRES, "-k", "tenant_alone"),
    ),
    Plant(
        "a round forgets what a tenant had of its turn",
        "store/ring.py",
        "    used = (lane.used + turn) % lane.weight\n",
        "    used = 0\n",
        (POSTGRES, "-k", "weight"),
    ),
    Plant(
        "a dead session may be renewed",
        "store/postgres/sql/leases.py",
        "WHERE id = $2 AND expires_at > {NOW}\n        RETURNING id",
        "WHERE id = $2\n        RETURNING id",
        (POSTGRES, "-k", "session"),
    ),
    Plant(
        "the cursor of a tenant passes open transactions",
        "store/jobs.py",
        '"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1"',
        '"SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1"',
        (POSTGRES, "-k", "long_transaction"),
    ),
    Plant(
        "watchers are not repaired",
        "gateway/hub.py",
        "    async def repair(self) -> ",
        "    async def repair(self) -> None:\n        return\n\n    async def _unused(self) -> ",
        ("tests/unit/gateway/test_hub.py",),
    ),
    Plant(
        "news are published before the commit",
        "worker/returns.py",
        "        answers = await self._store.finish(batch)\n",
        "        await self._announcer.changed(\n"
        "            Changed(a.job, a.events) for a in await self._store.finish([])\n"
        "        )\n"
        "        answers = [None] * len(batch)\n",
        ("tests/unit/worker/test_worker.py",),
    ),
    Plant(
        "a worker that drains releases its jobs before they have stopped",
        "worker/worker.py",
        "        await self._say_draining()\n        await self._subscriber.close()\n"
        "        await self._drain()\n",
        "        await self._store.close_session(self.session_id)\n"
        "        await self._say_draining()\n        await self._subscriber.close()\n"
        "        await self._drain()\n",
        ("tests/unit/worker/test_worker.py",),
    ),
    Plant(
        "what a lost claim took is not given back",
        "worker/worker.py",
        "                self._doubtful = True\n",
        "                self._doubtful = False\n",
        ("tests/unit/worker/test_worker.py",),
    ),
    Plant(
        "an idempotency key is looked for, but not taken",
        "store/postgres/submitting.py",
        "        return [None] * len(batch)\n    rows",
        "        return [None] * len(batch)\n    return [None] * len(batch)\n    rows",
        (POSTGRES, "-k", "key"),
    ),
    Plant(
        "after the database was away everybody is rescued at once",
        "store/postgres/driver.py",
        "        if self._hold_off:\n",
        "        if False:\n",
        (POSTGRES, "-k", "away or just_started"),
    ),
    Plant(
        "the canary is not listened for",
        "bus/redis/listener.py",
        "            if self._canary.silence(monotonic()) > self._deaf_after:\n",
        "            if False:\n",
        ("tests/drivers/test_redis_bus.py", "-k", "deaf or says_nothing"),
    ),
)


def main() -> None:
    """Plants each fault and prints the table; exits with 1 when one of them was not seen."""
    wanted = sys.argv[1:]
    unseen = []
    for plant in PLANTS:
        if wanted and not any(word in plant.name for word in wanted):
            continue
        began = time.monotonic()
        seen = _is_seen(plant)
        took = time.monotonic() - began
        sys.stdout.write(f"{plant.name:<66}{'seen' if seen else 'NOT SEEN':<10}{took:5.1f} s\n")
        sys.stdout.flush()
        if not seen:
            unseen.append(plant.name)
    sys.exit(1 if unseen else 0)


def _is_seen(plant: Plant) -> bool:
    with tempfile.TemporaryDirectory(prefix="jobcast-sabotage-") as folder:
        copy = Path(folder) / "src"
        shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / "clients").symlink_to(ROOT / "clients")  # what the dashboard serves of it
        path = copy / "jobcast" / plant.file
        text = path.read_text("utf-8")
        if text.count(plant.old) != 1:
            sys.exit(f"{plant.name}: {plant.file} has changed; say anew what to plant.")
        path.write_text(text.replace(plant.old, plant.new), "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *plant.tests],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{ROOT}"},  # noqa: TID251
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    # 1 is failed tests; anything else (nothing collected, a broken import) proves nothing.
    if done.returncode not in (0, 1):
        sys.exit(f"{plant.name}: {done.stdout[-2_000:]}{done.stderr[-2_000:]}")
    return done.returncode == 1


if __name__ == "__main__":
    main()
