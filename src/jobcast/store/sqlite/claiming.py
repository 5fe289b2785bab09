"""The claim on the writer's thread: a ring between the lanes of a queue.

The ring starts where the last claim ended, gives every waiting lane its turn, and takes from each
by priority, then age. So a tenant with 100,000 waiting jobs delays another's single one by a round
of the lanes at most.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from jobcast.domain import bulk
from jobcast.domain.job import Job
from jobcast.domain.lifecycle import Claim, apply
from jobcast.store.base import Changed, Claimed
from jobcast.store.ring import Lane, Place, cursor_of, gone_on, lane_of, place_of, shares
from jobcast.store.sqlite import statements
from jobcast.store.sqlite.changes import find, job_of, one, save
from jobcast.store.sqlite.statements import LANES

GRACE_MS = 30_000
"""A run may overstay its time-out by this much (to clean up) before it is taken for hung."""

TURN = "*"
"""The cursor of the queues themselves; no queue has such a name."""


class Wanted(msgspec.Struct, frozen=True):
    """What one worker asks for."""

    session_id: str
    queues: Sequence[str] | None
    cursors: Mapping[str, str]
    limit: int


def claim(
    raw: sqlite3.Connection, wanted: Wanted, *, capped: Mapping[str, int], now: int
) -> Claimed:
    """Takes up to the limit from the queues, in the order in which they are named.

    Where none is named, each claim begins behind the queue with which the last one began.
    Where a cap left a lane's place empty, another round fills it from the others.
    """
    claimed: list[Changed] = []
    cursors = dict(wanted.cursors)
    rooms = _Rooms(raw, capped)
    queues = _queues(raw, wanted.queues, cursors.get(TURN, ""))
    again = True
    while again:
        ring = _Ring(raw, wanted, rooms, now)
        taken: list[Job] = []
        for queue in queues:
            left = wanted.limit - len(claimed) - len(taken)
            if left == 0:
                break
            picked, cursors[queue] = ring.pick(queue, cursors.get(queue, ""), left)
            taken += picked
        changes = []
        for job in taken:
            deadline = now + job.timeout_ms + GRACE_MS
            change = apply(job, Claim(wanted.session_id, deadline), now=now)
            changes.append(Changed(change.job, change.events))
        claimed += save(raw, changes, now=now)
        again = ring.passed_over and bool(taken) and len(claimed) < wanted.limit
    if wanted.queues is None and claimed:
        cursors[TURN] = claimed[0].job.queue
    return Claimed(claimed, cursors, rooms.any)


def _queues(raw: sqlite3.Connection, wanted: Sequence[str] | None, turn: str) -> list[str]:
    """The queues to look into: those wanted, or all with a ready job; paused ones never."""
    paused: list[str] = one(raw, statements.PAUSED, ())
    waiting = wanted
    if waiting is None:
        every: list[str] = one(raw, statements.QUEUES, ())
        waiting = [q for q in every if q > turn] + [q for q in every if q <= turn]
    return [queue for queue in waiting if queue not in paused]


class _Rooms:
    """How many more of each capped type, and of each capped tenant, may start in this claim."""

    def __init__(self, raw: sqlite3.Connection, capped: Mapping[str, int]) -> None:
        self._raw = raw
        running: dict[str, int] = one(raw, statements.RUNNING_OF_TYPES, ()) if capped else {}
        self._types = {kind: cap - running.get(kind, 0) for kind, cap in capped.items()}
        self._tenants: dict[str, int] = {}

    @property
    def any(self) -> bool:
        """Whether anything is capped."""
        return bool(self._types or self._tenants)

    def full(self) -> tuple[str, str]:
        """The types and the tenants that are at their cap, as JSON."""
        return _full(self._types), _full(self._tenants)

    def learn(self, lanes: Sequence[Lane]) -> bool:
        """Counts the tenants with a cap that are new; whether one of them is at its cap."""
        new = {
            lane.tenant: lane.tenant_cap
            for lane in lanes
            if lane.tenant_cap is not None and lane.tenant not in self._tenants
        }
        if not new:
            return False
        running: dict[str, int] = one(self._raw, statements.RUNNING_OF_TENANTS, ())
        fresh = {tenant: cap - running.get(tenant, 0) for tenant, cap in new.items()}
        self._tenants |= fresh
        return any(room <= 0 for room in fresh.values())

    def enter(self, lane: Lane) -> bool:
        """Whether one more job of the lane may start, which then is counted."""
        tenants = {} if lane.tenant_cap is None else self._tenants
        holds = [
            (rooms, name)
            for rooms, name in ((self._types, lane.kind), (tenants, lane.tenant))
            if name in rooms
        ]
        if any(rooms[name] <= 0 for rooms, name in holds):
            return False
        for rooms, name in holds:
            rooms[name] -= 1
        return True


def _full(rooms: Mapping[str, int]) -> str:
    return json.dumps([name for name, room in rooms.items() if room <= 0])


class _Ring:
    """One round of the lanes of each queue; `rooms` is used up by what is taken.

    `passed_over` says that a job was left behind because its type or tenant had come to its cap.
    """

    def __init__(self, raw: sqlite3.Connection, wanted: Wanted, rooms: _Rooms, now: int) -> None:
        self.passed_over = False
        self._raw = raw
        self._session_id = wanted.session_id
        self._rooms = rooms
        self._now = now

    def pick(self, queue: str, cursor: str, limit: int) -> tuple[list[Job], str]:
        """The jobs of this round, in its order, and the cursor behind the last of them."""
        lanes = self._lanes(queue, place_of(cursor), limit)
        if not lanes:
            return [], cursor
        quota = max(shares(lanes, limit))
        names = [lane.name for lane in lanes]
        rows = _first_of(self._raw, queue, names, quota)
        full = {place for place, count in _counts(rows).items() if count == quota}
        if len(rows) < limit and full and len(lanes) > 1:
            # Some lanes had less than their share: the fuller ones take what is left.
            rows = [row for row in rows if row[0] not in full]
            more = [names[place] for place in sorted(full)]
            rows += _first_of(self._raw, queue, more, limit, sorted(full))
        turns: dict[int, int] = {}
        ring: list[tuple[int, int, int, list[Any]]] = []
        for row in rows:  # rows of one lane come in their order
            turn = turns[row[0]] = turns.get(row[0], 0) + 1
            lane = lanes[row[0]]
            ring.append(((lane.used + turn - 1) // lane.weight, row[0], turn, row))
        ring.sort(key=lambda entry: entry[:3])
        taken: list[Job] = []
        for _, place, turn, row in ring:
            if len(taken) == limit:
                break
            if not self._rooms.enter(lanes[place]):
                self.passed_over = True
                continue
            taken.append(job_of(row[1:]))
            cursor = cursor_of(lanes[place], turn)
        return taken, cursor

    def _lanes(self, queue: str, place: Place, limit: int) -> list[Lane]:
        """Up to `limit` waiting lanes with room, from the place round to it."""
        while True:
            lanes = gone_on(self._from(queue, place.start, limit), place)
            if place.lane and len(lanes) < limit:
                around = self._from(queue, "", limit - len(lanes))
                lanes += [lane for lane in around if lane.name < place.start]
            if not self._rooms.learn(lanes):
                return lanes

    def _from(self, queue: str, start: str, limit: int) -> list[Lane]:
        types, tenants = self._rooms.full()
        if queue == bulk.QUEUE:
            tenants = "[]"
        asking = (queue, start, limit, types, self._session_id, self._now, tenants)
        return [lane_of(*row, queue=queue) for row in one(self._raw, LANES, asking)]


def _first_of(
    raw: sqlite3.Connection,
    queue: str,
    lanes: Sequence[str],
    quota: int,
    places: Sequence[int] | None = None,
) -> list[Any]:
    """The first `quota` rows of each lane, each led by the lane's place, best first."""
    numbered = list(zip(places or range(len(lanes)), lanes, strict=True))
    rows = find(raw, statements.PICK, numbered, queue, quota)
    # Column 8 is the priority, 1 the id: the order within a lane, said here and in the index.
    rows.sort(key=lambda row: (row[0], -row[8], row[1]))
    return rows


def _counts(rows: Sequence[Any]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for row in rows:
        counts[row[0]] = counts.get(row[0], 0) + 1
    return counts
