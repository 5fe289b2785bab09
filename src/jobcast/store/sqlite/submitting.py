"""Submitting a batch on the writer's thread: idempotency keys, unique keys, then one insert."""

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from jobcast.domain.errors import Conflict, InvalidRequest, JobcastError
from jobcast.domain.job import Job
from jobcast.domain.lifecycle import born
from jobcast.store.base import Changed, Submit, Submitted
from jobcast.store.sqlite import statements
from jobcast.store.sqlite.changes import UNFIT, find, load, record, row_of, run

IDEMPOTENCY_MS = 24 * 3_600_000
"""An idempotency key is remembered for 24 hours, as the contract says."""

Answers = list[Submitted | JobcastError]
Capped = Mapping[str, int]
"""The types with a cap, and how many of each may run at once."""

_tags = msgspec.json.Decoder(list[str]).decode


def submit(
    raw: sqlite3.Connection, batch: Sequence[Submit], *, capped: Capped, now: int
) -> Answers:
    """Inserts a batch in one go, in the writer's transaction.

    A batch in which one item is such that SQLite refuses it is done again item by item, so that
    the others are kept.
    """
    raw.execute("SAVEPOINT submits")
    try:
        answers = _submit(raw, batch, capped=capped, now=now)
    except UNFIT as problem:
        raw.execute("ROLLBACK TO submits")
        if len(batch) == 1:
            answers = [InvalidRequest(f"The database cannot hold this job: {problem}.")]
        else:
            answers = [submit(raw, [item], capped=capped, now=now)[0] for item in batch]
    raw.execute("RELEASE submits")
    return answers


def _submit(
    raw: sqlite3.Connection, batch: Sequence[Submit], *, capped: Capped, now: int
) -> Answers:
    known = _known_keys(raw, batch, now=now)
    live = _live_unique(raw, batch)
    fresh: dict[str, Job] = {}
    kept: list[tuple[str, str, str, str, int]] = []
    verdicts: list[_Verdict] = []
    for item in batch:
        verdict = _judge(item, known, live)
        verdicts.append(verdict)
        if isinstance(verdict, Conflict) or verdict.replayed:
            continue
        if item.idempotency is not None:
            key = (item.job.tenant_id, item.idempotency.key)
            known[key] = (item.idempotency.digest, verdict.job_id)
            kept.append((*key, item.idempotency.digest, verdict.job_id, now))
        if verdict.job_id == item.job.id:
            fresh.setdefault(item.job.id, item.job)
    changes = _insert(raw, list(fresh.values()), capped=capped, now=now)
    inserted = {change.job.id: change for change in changes}
    run(raw, statements.KEEP_IDEMPOTENCY, kept)
    older = [v.job_id for v in verdicts if not isinstance(v, Conflict)]
    standing = load(raw, (job_id for job_id in older if job_id not in inserted), payload=True)
    return [
        _answer(item, verdict, inserted, standing)
        for item, verdict in zip(batch, verdicts, strict=True)
    ]


class _Found(msgspec.Struct, frozen=True):
    """The job that answers a submit: its own, one made by the same key, or a live twin."""

    job_id: str
    replayed: bool = False


_Verdict = _Found | Conflict


def _judge(
    item: Submit,
    known: Mapping[tuple[str, str], tuple[str, str]],
    live: dict[tuple[str, str, str], str],
) -> _Verdict:
    job = item.job
    if item.idempotency is not None:
        earlier = known.get((job.tenant_id, item.idempotency.key))
        if earlier is not None:
            digest, job_id = earlier
            if digest == item.idempotency.digest:
                return _Found(job_id, replayed=True)
            return Conflict("This Idempotency-Key was used with another body within 24 hours.")
    if job.unique_key is None:
        return _Found(job.id)
    return _Found(live.setdefault((job.tenant_id, job.type, job.unique_key), job.id))


def _answer(
    item: Submit,
    verdict: _Verdict,
    inserted: Mapping[str, Changed],
    standing: Mapping[str, Job],
) -> Submitted | JobcastError:
    if isinstance(verdict, Conflict):
        return verdict
    change = inserted.get(verdict.job_id)
    if verdict.job_id == item.job.id and not verdict.replayed:
        if change is not None:
            return Submitted(change.job, change.events)
        return Submitted(standing[verdict.job_id])  # the very same submit has come before
    job = change.job if change is not None else standing.get(verdict.job_id)
    if job is None:
        return Conflict("The job that this Idempotency-Key made has been deleted.")
    return Submitted(job, replayed=verdict.replayed, merged=not verdict.replayed)


def _insert(
    raw: sqlite3.Connection, jobs: Sequence[Job], *, capped: Capped, now: int
) -> list[Changed]:
    if not jobs:
        return []
    changes = [Changed(change.job, change.events) for change in map(born, jobs)]
    rows = [(*row_of(change.job), lane_of(change.job, capped)) for change in changes]
    if run(raw, statements.INSERT_JOBS, rows) < len(jobs):
        # Some are there already: their submit is repeated, for its answer was lost. The new
        # ones have no events yet.
        older = set(find(raw, statements.WITH_EVENTS, [(job.id,) for job in jobs]))
        changes = [change for change in changes if change.job.id not in older]
    tags = [
        (job.tenant_id, tag, job.id)
        for job in (change.job for change in changes)
        if job.tags != "[]"
        for tag in dict.fromkeys(_tags(job.tags))
    ]
    run(raw, statements.INSERT_TAGS, tags)
    return record(raw, changes, now=now)


def lane_of(job: Job, capped: Capped) -> str:
    """Where a job waits: with its tenant, and apart where its type is capped."""
    return f"{job.tenant_id}\n{job.type}" if job.type in capped else job.tenant_id


def _known_keys(
    raw: sqlite3.Connection, batch: Sequence[Submit], *, now: int
) -> dict[tuple[str, str], tuple[str, str]]:
    keys = [
        (item.job.tenant_id, item.idempotency.key) for item in batch if item.idempotency is not None
    ]
    found = find(raw, statements.FIND_IDEMPOTENCY, keys, now - IDEMPOTENCY_MS)
    return {(tenant, key): (digest, job_id) for tenant, key, digest, job_id in found}


def _live_unique(
    raw: sqlite3.Connection, batch: Sequence[Submit]
) -> dict[tuple[str, str, str], str]:
    keys = [
        (item.job.tenant_id, item.job.type, item.job.unique_key)
        for item in batch
        if item.job.unique_key is not None
    ]
    found = find(raw, statements.FIND_UNIQUE, keys)
    return {(tenant, type_, key): job_id for tenant, type_, key, job_id in found}
