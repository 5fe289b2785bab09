"""Whom a connection acts for, and for how long."""

from math import inf
from typing import Final, Literal

from jobcast.domain.access import Principal
from jobcast.domain.times import iso

WARNING_SECONDS: Final = 60.0


class Standing:
    """The principal behind the connection's credentials, and when these end.

    There is none at first, which is fine until `wait_until`. Of the end it warns a minute before,
    or at once when less is left; once for each credential.
    """

    __slots__ = ("_ends", "_wait_until", "_warns", "principal")

    def __init__(self, *, wait_until: float) -> None:
        self.principal: Principal | None = None
        self._wait_until = wait_until
        self._warns = inf
        self._ends = inf

    @property
    def deadline(self) -> float:
        """When `check` has something to say."""
        return min(self._wait_until, self._warns, self._ends)

    @property
    def expires_at(self) -> str:
        """When the credentials, which do end, end: as text."""
        assert self.principal is not None
        assert self.principal.expires_at is not None
        return iso(self.principal.expires_at)

    def take(self, fresh: Principal, *, now: float, wall_ms: int) -> bool:
        """From now on `fresh` counts, if it is the first or the same tenant's and user's.

        `now` is monotonic seconds, `wall_ms` the present in milliseconds since 1970.
        """
        if self.principal is not None and not _same_identity(self.principal, fresh):
            return False
        self.principal = fresh
        self._wait_until = inf
        ends = fresh.expires_at
        self._ends = inf if ends is None else now + (ends - wall_ms) / 1000
        self._warns = self._ends - WARNING_SECONDS
        return True

    def check(self, now: float) -> Literal["late", "expired", "expiring", "good"]:
        """How it stands with the credentials; `late`: there are none yet."""
        if now >= self._wait_until:
            return "late"
        if now >= self._ends:
            return "expired"
        if now >= self._warns:
            self._warns = inf
            return "expiring"
        return "good"


def _same_identity(known: Principal, fresh: Principal) -> bool:
    if (known.tenant_id, known.user_id, known.job_id) != (
        fresh.tenant_id,
        fresh.user_id,
        fresh.job_id,
    ):
        return False
    return known.user_id is not None or known.kind is fresh.kind
