"""The claim: a ring between the lanes of a queue.

The ring starts where the last claim ended, gives every waiting lane its turn, and takes from each
by priority, then age. So a tenant with 100,000 waiting jobs delays another's single one by a round
of the lanes at most.
"""

from collections.abc import Mapping, Sequence, Set
from operator import itemgetter
from typing import Any, Final

import msgspec

from jobcast.domain.job import EventType
from jobcast.domain.lifecycle import event
from jobcast.store.base import Changed, Claimed
from jobcast.store.postgres.changes import job_of
from jobcast.store.postgres.pool import Pool, Raw
from jobcast.store.postgres.sql import claims
from jobcast.store.ring import Lane, Place, cursor_of, gone_on, lane_of, place_of, shares

GRACE_MS: Final = 30_000
"""A run may overstay its time-out by this much (to clean up) before it is taken for hung."""

Row = Sequence[Any]
"""The name of a lane, the weight of its tenant, and the cap of that."""

TURN: Final = "*"
"""The cursor of the queues themselves; no queue has such a name."""


class Wanted(msgspec.Struct, frozen=True):
    """What one worker asks for; `now` None goes by the database's clock."""

    session_id: str
    queues: Sequence[str] | None
    cursors: Mapping[str, str]
    limit: int
    now: int | None


async def claim(pool: Pool, wanted: Wanted) -> Claimed:
    """Takes up to the limit from the queues, in the order in which they are named.

    Where none is named, each claim begins behind the queue with which the last one began.
    Where a cap left a lane's place empty, another round fills it from the others.
    """
    claimed: list[Changed] = []
    cursors = dict(wanted.cursors)
    capped = False
    async with pool.connection() as raw:
        look = await _look(raw, wanted)
        queues, found = look.queues, look.lanes
        if look.taken:
            claimed += look.taken
            cursors[queues[0]] = look.cursor
            queues, found = queues[1:], None
        for queue in queues:
            while (left := wanted.limit - len(claimed)) > 0:
                ring = _Ring(raw, wanted, queue, place_of(cursors.get(queue, "")))
                lanes = await ring.lanes(left) if found is None else ring.gone_on(found)
                found = None
                if any(lane.kind or lane.tenant_cap is not None for lane in lanes):
                    capped = True
                    taken = await ring.take_under_caps(lanes, left)
                else:
                    taken = await ring.take(lanes, left)
                if not taken:
                    break
                claimed += taken
                cursors[queue] = ring.cursor
                if not ring.passed_over:
                    break
    if wanted.queues is None and claimed:
        cursors[TURN] = claimed[0].job.queue
    return Claimed(claimed, cursors, capped)


class _Look(msgspec.Struct, frozen=True):
    """The queues to look into, in their order; what the database tells of the lanes of the first
    one; what it took where that was a single one, and the cursor behind it."""

    queues: Sequence[str]
    lanes: list[Row] | None
    taken: Sequence[Changed] = ()
    cursor: str = ""


async def _look(raw: Raw, wanted: Wanted) -> _Look:
    places = {queue: place_of(c) for queue, c in wanted.cursors.items() if queue != TURN}
    rows = await raw.fetch(
        claims.LOOK,
        wanted.now,
        None if wanted.queues is None else list(wanted.queues),
        wanted.cursors.get(TURN, ""),
        wanted.limit,
        [],
        wanted.session_id,
        [],
        list(places),
        [place.start for place in places.values()],
        GRACE_MS,
    )
    if rows[0]["id"] is None:
        return _Look(rows[0][0] or [], [row[1:4] for row in rows if row[1] is not None])
    rows.sort(key=itemgetter("nth"))
    queues = rows[0][0]
    place = places.get(queues[0], place_of(""))
    [lane] = gone_on([lane_of(*rows[0][1:4], queue=queues[0])], place)
    taken = [_begun(row[4:], row["change"]) for row in rows]
    return _Look(queues, None, taken, cursor_of(lane, len(taken)))


class _Ring:
    """A look at the lanes of a queue, from the place where the last one ended.

    `passed_over` says that a lane's place was left empty, so another look may find more; `cursor`
    tells where this one ended.
    """

    def __init__(self, raw: Raw, wanted: Wanted, queue: str, place: Place) -> None:
        self.passed_over = False
        self.cursor = ""
        self._raw = raw
        self._wanted = wanted
        self._queue = queue
        self._place = place
        self._types = _Rooms(raw, claims.LOCK_CAPS, claims.RUNNING_OF_TYPES)
        self._tenants = _Rooms(raw, claims.LOCK_TENANT_CAPS, claims.RUNNING_OF_TENANTS)

    async def lanes(self, limit: int) -> list[Lane]:
        """Up to `limit` waiting lanes with room, from the place round to it."""
        rows = await self._raw.fetch(
            claims.LANES,
            self._wanted.now,
            self._queue,
            self._place.start,
            limit,
            self._types.at_cap,
            self._wanted.session_id,
            self._tenants.at_cap,
        )
        return self.gone_on(rows)

    def gone_on(self, rows: Sequence[Row]) -> list[Lane]:
        """The lanes that the database tells of, the first of them with what it had of its turn."""
        return gone_on([lane_of(*row, queue=self._queue) for row in rows], self._place)

    async def take_under_caps(self, lanes: Sequence[Lane], limit: int) -> list[Changed]:
        """As `take`, no more than the caps of types and tenants leave room for.

        All that count towards them are locked at once, in their order: where the lanes behind those
        at their cap are capped as well, the locks are given up and taken anew with theirs, or two
        claims would lock each other out.
        """
        self._meet(lanes)
        while True:
            async with self._raw.transaction():
                types, tenants = await self._types.count(), await self._tenants.count()
                if types or tenants:  # some are at their cap: the lanes without those
                    lanes = await self.lanes(limit)
                if not self._meet(lanes):
                    return await self.take(lanes, limit)

    def _meet(self, lanes: Sequence[Lane]) -> bool:
        """Notes what of these lanes is to be counted; whether some of it is new."""
        types = self._types.meet({lane.kind for lane in lanes if lane.kind})
        capped = {lane.tenant for lane in lanes if lane.tenant_cap is not None}
        return self._tenants.meet(capped) or types

    async def take(self, lanes: Sequence[Lane], limit: int) -> list[Changed]:
        """Claims up to `limit` jobs of the lanes, in the order of the ring."""
        if not lanes:
            return []
        most = shares(lanes, limit)
        rows = await self._raw.fetch(
            claims.TAKE,
            self._wanted.now,
            [lane.name for lane in lanes],
            most,
            self._queue,
            limit,
            self._wanted.session_id,
            *self._types.columns(),
            GRACE_MS,
            [lane.weight for lane in lanes],
            [lane.used for lane in lanes],
            *self._tenants.columns(),
        )
        if rows:
            last = rows[-1]
            self.cursor = cursor_of(lanes[last["place"] - 1], last["turn"])
        # With some left over, lanes that had more than their share go on in another round.
        self.passed_over = len(rows) < limit and (
            self._types.any
            or self._tenants.any
            or any(row["of_lane"] == most[row["place"] - 1] for row in rows)
        )
        return [_begun(row, row["change"]) for row in rows]


def _begun(row: Sequence[Any], change: int) -> Changed:
    job = job_of(row)
    assert job.started_at is not None
    told = event(job, EventType.PROCESSING, at=job.started_at, data="{}")
    return Changed(job, (msgspec.structs.replace(told, change=change),))


class _Rooms:
    """How many more of each of some capped types, or tenants, may start.

    Lock first, count in the next statement: one statement alone sees a stale count.
    """

    def __init__(self, raw: Raw, lock: str, running: str) -> None:
        self.at_cap: list[str] = []
        self._raw = raw
        self._lock = lock
        self._running = running
        self._names: set[str] = set()
        self._rooms: dict[str, int] = {}

    @property
    def any(self) -> bool:
        """Whether anything that was looked at is capped."""
        return bool(self._rooms)

    def columns(self) -> tuple[list[str], list[int]]:
        """The names, and beside them the rooms."""
        return list(self._rooms), list(self._rooms.values())

    def meet(self, names: Set[str]) -> bool:
        """Notes names that are to be counted; whether some of them are new."""
        new = names - self._names
        self._names |= new
        return bool(new)

    async def count(self) -> bool:
        """Counts all that were noted, and keeps others from starting any of them; whether one is
        at its cap."""
        names = sorted(self._names)
        if not names:
            return False
        caps = dict(await self._raw.fetch(self._lock, names))
        running = dict(await self._raw.fetch(self._running, names))
        self._rooms = {name: max(0, cap - running.get(name, 0)) for name, cap in caps.items()}
        self.at_cap = [name for name, room in self._rooms.items() if room == 0]
        return bool(self.at_cap)
