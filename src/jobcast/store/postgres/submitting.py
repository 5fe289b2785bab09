"""Submitting a batch: idempotency keys, unique keys, then one insert.

A batch without keys, the common one, is a single statement. Keys are taken in their order, so that
two batches never wait for each other; whoever loses a key reads the winner in a second statement.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from jobcast.domain.errors import Conflict, JobcastError, Unavailable
from jobcast.domain.job import Job
from jobcast.domain.lifecycle import born
from jobcast.store.base import Changed, Submit, Submitted
from jobcast.store.postgres.changes import columns, job_of, rows_text
from jobcast.store.postgres.pool import Raw
from jobcast.store.postgres.sql import submits

IDEMPOTENCY_MS: Final = 24 * 3_600_000
"""An idempotency key is remembered for 24 hours, as the contract says."""

TWIN_TRIES: Final = 5
"""How often a live twin may end between the insert that met it and the look at it."""

Answers = list[Submitted | JobcastError]

_tags = msgspec.json.Decoder(list[str]).decode
_TenantKey = tuple[str, str]
_UniqueKey = tuple[str, str, str]


def keyless(batch: Sequence[Submit]) -> bool:
    """Whether a batch is one statement: no keys, no tags, no job twice."""
    return all(
        item.idempotency is None and item.job.unique_key is None and item.job.tags == "[]"
        for item in batch
    ) and len({item.job.id for item in batch}) == len(batch)


async def submit(raw: Raw, batch: Sequence[Submit], *, now: int | None, shard: int) -> Answers:
    """Inserts a batch, in the caller's transaction unless it is `keyless`."""
    verdicts = await _take_keys(raw, batch, now=now)
    fresh: dict[str, Job] = {}
    merged = _Twins()
    for item, verdict in zip(batch, verdicts, strict=True):
        if verdict is None:
            job = merged.first(item.job)
            fresh.setdefault(job.id, job)
    inserted = await _insert(raw, list(fresh.values()), merged, now=now, shard=shard)
    wanted = {
        job_id
        for item, verdict in zip(batch, verdicts, strict=True)
        if not isinstance(verdict, Conflict)
        for job_id in [verdict or merged.of(item.job)]
        if job_id not in inserted
    }
    standing = await load(raw, wanted)
    await _point_keys(raw, batch, verdicts, merged)
    return [
        _answer(item, verdict, merged.of(item.job), inserted, standing)
        for item, verdict in zip(batch, verdicts, strict=True)
    ]


class _Twins:
    """Which job stands for another one with the same unique key: in this batch, or in the queue."""

    def __init__(self) -> None:
        self._first: dict[_UniqueKey, str] = {}
        self._stands_for: dict[str, str] = {}

    def first(self, job: Job) -> Job:
        """Remembers the first job with a key; the others of the batch merge into it."""
        if job.unique_key is not None:
            self._first.setdefault((job.tenant_id, job.type, job.unique_key), job.id)
        return job

    def loses(self, job: Job) -> bool:
        """Whether an earlier one of this batch has the key."""
        return job.unique_key is not None and self._first_of(job) != job.id

    def live(self, job: Job, twin: str) -> None:
        """A job in the queue has the key."""
        self._stands_for[job.id] = twin

    def of(self, job: Job) -> str:
        """The id of the job that answers for this one."""
        first = job.id if job.unique_key is None else self._first_of(job)
        return self._stands_for.get(first, first)

    def _first_of(self, job: Job) -> str:
        assert job.unique_key is not None
        return self._first.get((job.tenant_id, job.type, job.unique_key), job.id)


async def load(raw: Raw, ids: set[str]) -> dict[str, Job]:
    """The jobs that exist, by id."""
    if not ids:
        return {}
    rows = await raw.fetch(submits.LOAD_JOBS, list(ids))
    return {row["id"]: job_of(row) for row in rows}


async def _take_keys(
    raw: Raw, batch: Sequence[Submit], *, now: int | None
) -> list[str | Conflict | None]:
    """For each item the id of the job that its key made earlier, or a conflict, or None: its own.

    The keys of those are taken.
    """
    first: dict[_TenantKey, tuple[str, str]] = {}
    for item in batch:
        if item.idempotency is not None:
            key = (item.job.tenant_id, item.idempotency.key)
            first.setdefault(key, (item.idempotency.digest, item.job.id))
    if not first:
        return [None] * len(batch)
    rows = [(*key, *first[key]) for key in sorted(first)]
    taken = await raw.fetch(submits.KEEP_IDEMPOTENCY, now, *columns(rows), IDEMPOTENCY_MS)
    ours = {(row["tenant_id"], row["key"]) for row in taken}
    known = {key: made for key, made in first.items() if key in ours}
    others = [key for key in first if key not in ours]
    if others:
        found = await raw.fetch(submits.FIND_IDEMPOTENCY, *columns(others))
        known |= {(row[0], row[1]): (row[2], row[3]) for row in found}
        if len(known) < len(first):
            raise Unavailable("An Idempotency-Key was given up at this very moment: try again.")
    return [_judge(item, known, ours) for item in batch]


def _judge(
    item: Submit, known: dict[_TenantKey, tuple[str, str]], ours: set[_TenantKey]
) -> str | Conflict | None:
    if item.idempotency is None:
        return None
    key = (item.job.tenant_id, item.idempotency.key)
    digest, job_id = known[key]
    if job_id == item.job.id and key in ours:
        return None
    if digest == item.idempotency.digest:
        return job_id
    return Conflict("This Idempotency-Key was used with another body within 24 hours.")


async def _insert(
    raw: Raw, jobs: Sequence[Job], merged: _Twins, *, now: int | None, shard: int
) -> dict[str, Changed]:
    """Inserts jobs whose unique key is free; the others merge with the twin that has it."""
    left = [job for job in jobs if not merged.loses(job)]
    left.sort(key=_order)
    inserted: dict[str, Changed] = {}
    for _ in range(TWIN_TRIES):
        if not left:
            break
        changes = {change.job.id: Changed(change.job, change.events) for change in map(born, left)}
        new = await raw.fetch(submits.INSERT_JOBS, now, rows_text(left), shard)
        for job_id, number in new:
            change = changes[job_id]
            events = tuple(msgspec.structs.replace(e, change=number) for e in change.events)
            inserted[job_id] = Changed(change.job, events)
        left = [job for job in left if job.id not in inserted]
        left = await _without_twins(raw, left, merged)
    if left:
        raise Unavailable("Jobs with this uniqueKey come and go too fast: try again.")
    tags = [
        (change.job.tenant_id, tag, change.job.id)
        for change in inserted.values()
        if change.job.tags != "[]"
        for tag in dict.fromkeys(_tags(change.job.tags))
    ]
    if tags:
        await raw.execute(submits.INSERT_TAGS, *columns(tags))
    return inserted


def _order(job: Job) -> tuple[str, str, str]:
    """Unique keys are taken in their order; the other jobs stand in nobody's way."""
    return ("", "", "") if job.unique_key is None else (job.tenant_id, job.type, job.unique_key)


async def _without_twins(raw: Raw, left: list[Job], merged: _Twins) -> list[Job]:
    """Those of the refused that are not there and whose twin has ended: they may try again."""
    if not left:
        return []
    there = await load(raw, {job.id for job in left})  # the very same submit has come before
    left = [job for job in left if job.id not in there]
    keys = [(job.tenant_id, job.type, job.unique_key) for job in left if job.unique_key is not None]
    if not keys:
        return left
    found = await raw.fetch(submits.FIND_UNIQUE, *columns(keys))
    live = {(row[0], row[1], row[2]): row[3] for row in found}
    for job in left:
        twin = live.get((job.tenant_id, job.type, job.unique_key))
        if twin is not None:
            merged.live(job, twin)
    return [job for job in left if merged.of(job) == job.id]


async def _point_keys(
    raw: Raw, batch: Sequence[Submit], verdicts: Sequence[str | Conflict | None], merged: _Twins
) -> None:
    """A key whose job merged with another stands for that one."""
    moved = [
        (item.job.tenant_id, item.idempotency.key, merged.of(item.job))
        for item, verdict in zip(batch, verdicts, strict=True)
        if verdict is None and item.idempotency is not None and merged.of(item.job) != item.job.id
    ]
    if moved:
        await raw.execute(submits.POINT_IDEMPOTENCY, *columns(moved))


def _answer(
    item: Submit,
    verdict: str | Conflict | None,
    stands: str,
    inserted: dict[str, Changed],
    standing: dict[str, Job],
) -> Submitted | JobcastError:
    if isinstance(verdict, Conflict):
        return verdict
    job_id = verdict or stands
    change = inserted.get(job_id)
    if verdict is None and job_id == item.job.id:
        if change is not None:
            return Submitted(change.job, change.events)
        return Submitted(standing[job_id])  # the very same submit has come before
    job = change.job if change is not None else standing.get(job_id)
    if job is None:
        return Conflict("The job that this Idempotency-Key made has been deleted.")
    return Submitted(job, replayed=verdict is not None, merged=verdict is None)
