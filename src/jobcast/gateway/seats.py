"""The quota of open sockets for each tenant, on this gateway."""

from collections import Counter

from jobcast.services.refusals import Quota, too_many


class Seats:
    """Taken when a connection has shown its credentials, free again when it is gone."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def take(self, tenant_id: str, *, limit: int) -> None:
        """One more connection of a tenant; raises QuotaExceeded when it has `limit` already."""
        if self._taken[tenant_id] >= limit:
            raise too_many(
                Quota.CONNECTIONS,
                f"Too many connections: a tenant may have {limit} on one gateway.",
                retry_after=30,
            )
        self._taken[tenant_id] += 1

    def leave(self, tenant_id: str) -> None:
        """A connection of the tenant is gone."""
        self._taken[tenant_id] -= 1
        if not self._taken[tenant_id]:
            del self._taken[tenant_id]
