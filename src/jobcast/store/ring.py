"""The ring between the lanes of a queue: where a claim begins, and whose turn comes when.

A lane is a tenant (and a type, where that is capped). A round of the ring gives each waiting lane
one turn, in the order of the lanes; a turn is as many jobs as the weight of its tenant. A claim
that ends within a turn goes on with the rest of it the next time, so that weights hold however
little is claimed at a time.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from jobcast.domain import bulk

MOST: Final = 1_000
"""A weight beyond this counts as this: one turn is never longer than the largest claim."""

_BEHIND: Final = "\x01"
"""Less than all that may follow in the name of a lane: with it begins whatever comes behind."""

_USED: Final = "\x02"


class Lane(msgspec.Struct, frozen=True):
    """A lane that waits. `used` is what it has had of its turn, `tenant_cap` how many jobs of its
    tenant may run at once."""

    name: str
    weight: int = 1
    tenant_cap: int | None = None
    used: int = 0

    @property
    def tenant(self) -> str:
        return self.name.partition("\n")[0]

    @property
    def kind(self) -> str:
        """The type that it is for; empty where it is a tenant's alone."""
        return self.name.partition("\n")[2]


class Place(msgspec.Struct, frozen=True):
    """Where the last claim ended: in this lane, which has had so much of its turn (0: all)."""

    lane: str
    used: int

    @property
    def start(self) -> str:
        """The least name of the lanes that come next."""
        return self.lane if self.used or not self.lane else self.lane + _BEHIND


def place_of(cursor: str) -> Place:
    """The place that a cursor tells of; the beginning for an empty one."""
    lane, _, used = cursor.partition(_USED)
    return Place(lane, int(used or 0))


def cursor_of(lane: Lane, turn: int) -> str:
    """The cursor behind the `turn`-th job (from 1) that a claim took of a lane."""
    used = (lane.used + turn) % lane.weight
    return f"{lane.name}{_USED}{used}" if used else lane.name


def gone_on(lanes: Sequence[Lane], place: Place) -> list[Lane]:
    """The lanes from `place` on, the first of them with what it had of its turn."""
    if not lanes or lanes[0].name != place.lane or not place.used:
        return list(lanes)
    first = lanes[0]
    used = min(place.used, first.weight - 1)
    return [msgspec.structs.replace(first, used=used), *lanes[1:]]


def shares(lanes: Sequence[Lane], limit: int) -> list[int]:
    """How many jobs of each lane are looked at for a claim of `limit`, so that it can be filled by
    whole rounds where each lane has its share."""
    rounds = -(-limit // sum(lane.weight for lane in lanes))
    return [min(limit, lane.weight * rounds) for lane in lanes]


def lane_of(name: str, weight: int | None, tenant_cap: int | None, *, queue: str) -> Lane:
    """A lane of a queue as a database tells of it.

    A tenant that is not entered has weight 1 and no cap; none holds for bulk operations.
    """
    cap = None if queue == bulk.QUEUE else tenant_cap
    return Lane(name, max(1, min(weight or 1, MOST)), cap)
