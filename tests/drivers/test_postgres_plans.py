"""Every hot statement goes by an index, however large the tables: proved by what PostgreSQL does.

Each statement runs under EXPLAIN ANALYZE against 1,000,000 jobs and more, as the driver has it and
with the planner left free (`enable_seqscan` on), planned for its values and for any (as asyncpg's
prepared statements come to be). It may read no large table as a whole, and only few pages.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

import asyncpg
import pytest
from tests.support.postgres_server import shared_server

from jobcast.store.migrating import migrate
from jobcast.store.postgres.claiming import GRACE_MS
from jobcast.store.postgres.connecting import SERVER_SETTINGS
from jobcast.store.postgres.sql import claims, leases, live, submits, words, writes

pytestmark = pytest.mark.slow

ENDED: Final = 1_000_000
"""Made in some ten seconds."""

READY: Final = 20_000
SCHEDULED: Final = 2_000
RUNNING: Final = 200
PAGES: Final = 3_000
"""Pages that a statement may touch, counted each time; the table of jobs alone has several
times as many, and grows."""

BATCH: Final = 100
AT: Final = 1_700_000_000_000
LATER: Final = AT + 10 * ENDED
LARGE: Final = {"jobs", "events", "job_tags", "idempotency_keys"}
MODES: Final = tuple(
    {"enable_seqscan": seqscan, "plan_cache_mode": plan}
    for seqscan in ("off", "on")
    for plan in ("force_custom_plan", "force_generic_plan")
)

ID: Final = "('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid"
"""The id of job `n`."""

FILL: Final = f"""
    INSERT INTO jobs (
        id, tenant_id, queue, lane, type, state, payload, priority, max_attempts, timeout_ms, tags,
        run_at, created_at, updated_at, seq, run, attempts, deaths, cancel_requested, session_id,
        deadline_at, started_at, finished_at, unique_key
    )
    SELECT {ID}, 'tenant-' || n % 100,
        CASE WHEN n % 100 = 40 THEN 'queue-sole' ELSE 'queue-' || n % 3 END,
        'tenant-' || n % 100, 'noop', state, '{{}}', 0, 3, 600000, '[]',
        {AT} + n, {AT} + n, {AT} + n, 1, 1, 0, 0, false,
        CASE state WHEN 'PROCESSING' THEN 'session-' || n % 2 END,
        CASE state WHEN 'PROCESSING' THEN {LATER} END, {AT} + n, {AT} + n,
        CASE WHEN state <> 'DONE' AND n % 2 = 0 THEN 'key-' || n END
    FROM (
        SELECT n, CASE
            WHEN n <= {ENDED} THEN 'DONE'
            WHEN n <= {ENDED + READY} THEN 'READY'
            WHEN n <= {ENDED + READY + SCHEDULED} THEN 'SCHEDULED'
            ELSE 'PROCESSING'
        END AS state
        FROM generate_series(1, {ENDED + READY + SCHEDULED + RUNNING}) AS n
    ) AS numbers
"""

TELL: Final = f"""
    INSERT INTO events (job_id, seq, tenant_id, type, status, attempt, at, change)
    SELECT {ID}, 1, 'tenant-' || n % 100, 'job:pending', 'PENDING', 0,
        {AT} + n, n
    FROM generate_series(1, {ENDED + READY + SCHEDULED + RUNNING}) AS n
"""

SMALL: Final = (
    f"INSERT INTO sessions (id, name, started_at, expires_at)"
    f" SELECT 'session-' || n, 'w', {AT}, {LATER} FROM generate_series(0, 1) AS n",
    f"INSERT INTO job_types (type, queue, max_attempts, timeout_ms, registered_at)"
    f" VALUES ('noop', 'queue-0', 3, 600000, {AT})",
    f"INSERT INTO job_tags (tenant_id, tag, job_id) SELECT 'tenant-' || n % 100, 'tag', {ID}"
    " FROM generate_series(1, 100000) AS n",
    f"INSERT INTO idempotency_keys (tenant_id, key, digest, job_id, created_at)"
    f" SELECT 'tenant-' || n % 100, 'key-' || n, 'd', {ID}, {AT}"
    " FROM generate_series(1, 100000) AS n",
)


def ids(first: int, count: int = BATCH) -> list[str]:
    return [f"00000000-0000-7000-8000-{n:012}" for n in range(first, first + count)]


def new_jobs(count: int) -> str:
    """Jobs that are not there yet, as `INSERT_JOBS` takes them."""
    row: Mapping[str, Any] = {
        "tenant_id": "tenant-1",
        "queue": "queue-1",
        "type": "noop",
        "state": "READY",
        "payload": "{}",
        "priority": 0,
        "max_attempts": 3,
        "timeout_ms": 600_000,
        "tags": "[]",
        "run_at": AT,
        "created_at": AT,
    }
    return json.dumps(
        [
            {"id": f"00000000-0000-7000-9000-{n:012}", **row, "unique_key": f"new-key-{n}"}
            for n in range(count)
        ]
    )


FIRST_RUNNING: Final = ENDED + READY + SCHEDULED + 1
HELD: Final = ids(FIRST_RUNNING)
RUNS: Final = [1] * BATCH
SESSIONS: Final = [f"session-{n % 2}" for n in range(FIRST_RUNNING, FIRST_RUNNING + BATCH)]
LIVE: Final = [n for n in range(ENDED + 1, ENDED + 201) if n % 2 == 0]
TENANTS: Final = [f"tenant-{n % 100}" for n in LIVE]
KEYS: Final = [f"key-{n}" for n in LIVE]
LIVE_RUNS: Final = json.dumps(
    [
        {"id": job, "run": 1, "session_id": session, "count": 1, "progress": "{}", "result": "{}"}
        for job, session in zip(HELD, SESSIONS, strict=True)
    ]
)
DRAFTS: Final = json.dumps(
    [{"id": job, "run": 1, "nth": 1, "type": "job:log", "at": AT, "data": "{}"} for job in HELD]
)
AFTER: Final = (
    *(HELD, ["DONE"] * BATCH, [AT] * BATCH, [AT] * BATCH, [2] * BATCH, RUNS, RUNS, RUNS),
    *([False] * BATCH, SESSIONS, [AT] * BATCH, [AT] * BATCH, [AT] * BATCH),
    *(["{}"] * BATCH, ["e"] * BATCH, ["{}"] * BATCH),
)

CASES: Final[Mapping[str, Sequence[Any]]] = {
    "INSERT_JOBS": (AT, new_jobs(BATCH), 1),
    "INSERT_EVENTS": (
        *(HELD, [7] * BATCH, ["tenant-1"] * BATCH, ["job:log"] * BATCH, ["PROCESSING"] * BATCH),
        *(RUNS, [AT] * BATCH, [7] * BATCH, ["{}"] * BATCH),
    ),
    "INSERT_TAGS": (["tenant-1"] * BATCH, ["tag"] * BATCH, HELD),
    "LOAD_JOBS": (ids(5_000),),
    "LOCK_JOBS": (AT, ids(5_000)),
    "LOCK_JOB": (AT, HELD[0]),
    "UPDATE_JOBS": AFTER,
    "PUT_BACK": (HELD[0], "{}"),
    "KEEP_IDEMPOTENCY": (AT, TENANTS, KEYS, KEYS, HELD, 1),
    "FIND_IDEMPOTENCY": (TENANTS, KEYS),
    "POINT_IDEMPOTENCY": (TENANTS, KEYS, HELD),
    "FIND_UNIQUE": (TENANTS, ["noop"] * BATCH, KEYS),
    "LOOK": (
        *(AT, ["queue-1", "queue-0"], "", 100, [], "session-1", []),
        *(["queue-1"], ["tenant-40"], GRACE_MS),
    ),
    "LOOK, at a single lane": (
        *(AT, ["queue-sole"], "", 100, [], "session-1", []),
        *(["queue-sole"], ["tenant-40"], GRACE_MS),
    ),
    "LANES": (AT, "queue-1", "tenant-40", 100, ["none"], "session-1", ["nobody"]),
    "RUNNING_OF_TYPES": (["noop"],),
    "RUNNING_OF_TENANTS": (["tenant-1"],),
    "TAKE": (
        *(AT, [f"tenant-{n}" for n in range(10)], [10] * 10, "queue-1", BATCH, "session-1"),
        *(["none"], [1], GRACE_MS, [1] * 10, [0] * 10, ["nobody"], [1]),
    ),
    "APPEND": (AT, LIVE_RUNS, DRAFTS),
    "DONE": (AT, LIVE_RUNS, 1),
    "MAKE_READY": (LATER, BATCH),
    "SAVE_FILE": (AT, HELD[0], "a.txt", "text/plain", 1, b"x", 1, SESSIONS[0]),
    "RENEW_SESSION": (AT, "session-1", 10_000),
    "HELD": (["session-1"],),
    "ORPHANS": (AT, 100_000),
    "LOCK_RUNS": (AT, HELD, RUNS, BATCH),
}

NOT_OF_LARGE_TABLES: Final = {
    *(
        "INSERT_DELIVERIES",
        "ADD_ROLLUPS",
        "LOCK_CAPS",
        "LOCK_TENANT_CAPS",
        "OPEN_SESSION",
        "DRAIN_SESSION",
    ),
    *("CLOSE_SESSION", "HOLD_OFF", "BURY_SESSIONS", "CAPS", "REGISTER_TYPES"),
}
"""They insert, or know the small tables only."""

RARE: Final = {"APART", "TOGETHER"}
"""When a type is given a cap, or freed of it: then all its live jobs change lanes."""

LISTS: Final = vars(words).keys() | {"NEW", "TAKEN"}
"""Lists of columns, and other parts of statements."""

STATEMENTS: Final[Mapping[str, str]] = {
    name: value
    for module in (claims, leases, live, submits, writes)
    for name, value in vars(module).items()
    if name.isupper() and name[0] != "_" and name not in LISTS
}


@pytest.fixture(scope="module")
def crowded_url() -> Iterator[str]:
    """The DSN of a database with a past."""
    url = shared_server().create_database()
    asyncio.run(_crowd(url))
    yield url
    shared_server().drop_database(url)


async def _crowd(url: str) -> None:
    await migrate(url)
    conn = await asyncpg.connect(url)
    try:
        for statement in (FILL, TELL, *SMALL, "VACUUM (ANALYZE)"):
            await conn.execute(statement)
    finally:
        await conn.close()


@pytest.fixture
async def conn(crowded_url: str) -> AsyncIterator[Any]:
    conn = await asyncpg.connect(crowded_url, server_settings=SERVER_SETTINGS)
    yield conn
    await conn.close()


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def array_type(name: str) -> str:
    """A type as it is written in SQL, by the name that asyncpg has for it."""
    return name.removesuffix("[]").removeprefix("_") + ("[]" if name.endswith("[]") else "")


def written(value: Any, kind: str) -> str:
    """A value of a type as it stands in SQL."""
    match value:
        case None:
            return "NULL"
        case bytes():
            text = f"\\x{value.hex()}"
        case list():
            text = "{" + ",".join("NULL" if v is None else json.dumps(v) for v in value) + "}"
        case _:
            text = str(value)
    return f"'{text}'::{kind}"


async def explained(conn: Any, statement: str, values: Sequence[Any]) -> Mapping[str, Any]:
    """What PostgreSQL did to run a statement, which is undone."""
    types = [kind.name for kind in (await conn.prepare(statement)).get_parameters()]
    await conn.execute(f"PREPARE hot ({', '.join(map(array_type, types))}) AS {statement}")
    undone = conn.transaction()
    await undone.start()
    try:
        said = await conn.fetchval(
            "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE hot"
            f" ({', '.join(written(v, array_type(t)) for v, t in zip(values, types, strict=True))})"
        )
    finally:
        await undone.rollback()
        await conn.execute("DEALLOCATE hot")
    plan: Mapping[str, Any] = json.loads(said)[0]["Plan"]
    return plan


@pytest.mark.parametrize("name", CASES)
async def test_a_hot_statement_goes_by_an_index(conn: Any, name: str) -> None:
    for mode in MODES:
        for setting, value in mode.items():
            await conn.execute(f"SET {setting} = {value}")
        plan = await explained(conn, STATEMENTS[name.partition(",")[0]], CASES[name])
        scanned = {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
        pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        assert not scanned & LARGE, f"{mode}: {json.dumps(plan, indent=1)}"
        assert pages <= PAGES, f"{mode}, {pages} pages: {json.dumps(plan, indent=1)}"


def test_every_statement_is_looked_at() -> None:
    planned = {name.partition(",")[0] for name in CASES}
    assert STATEMENTS.keys() == planned | NOT_OF_LARGE_TABLES | RARE
