"""What users do with webhooks: read their log, have one sent again; endpoints and secrets."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from jobcast.domain.access import Principal, Scope, require
from jobcast.domain.errors import InvalidOperation, NotFound
from jobcast.runtime.clock import Clock
from jobcast.services.webhook_endpoints import WebhookEndpoints
from jobcast.services.webhook_secrets import WebhookSecrets
from jobcast.store import deliveries
from jobcast.store.base import Store
from jobcast.store.deliveries import Logged

__all__ = ["Logged", "Visible", "Webhooks"]

Visible = Callable[[Principal, str], Awaitable[object]]
"""Returns when the principal may see the job of this id; else raises NotFound."""


class Webhooks:
    """Use cases of deliveries, with those of `endpoints` and `secrets` beside them.

    `notify` hints to the deliverer that something is due.
    """

    def __init__(
        self, store: Store, *, visible: Visible, clock: Clock, notify: Callable[[], object]
    ) -> None:
        self._store = store
        self._visible = visible
        self._clock = clock
        self._notify = notify
        self.endpoints: Final = WebhookEndpoints(store, clock=clock, notify=notify)
        self.secrets: Final = WebhookSecrets(store, clock=clock)

    async def logs(self, principal: Principal | None, job_id: str) -> Sequence[Logged]:
        """The attempts to deliver the job's ends, oldest first; of very many the newest.

        Raises Unauthorized, Forbidden and NotFound; a watch token sees none of it, because the
        address of a webhook is its owner's affair.
        """
        await self._visible(require(principal, Scope.READ), job_id)
        return await self._store.read(lambda conn: deliveries.log_of(conn, job_id=job_id))

    async def redeliver(self, principal: Principal | None, job_id: str, wanted: str) -> str:
        """Has a delivery sent again at once, by its whole schedule; the id of the delivery.

        `wanted` is its id or that of one of its attempts. The body and the `webhook-id` stay the
        same, the numbers of attempts go on. Raises Unauthorized, Forbidden, NotFound, and
        InvalidOperation while its endpoint is disabled.
        """
        await self._visible(require(principal, Scope.WRITE), job_id)
        now = self._clock.now()
        delivery_id = await self._store.write(
            lambda conn: deliveries.redeliver(conn, job_id=job_id, wanted=wanted, now=now)
        )
        if delivery_id is deliveries.DISABLED:
            raise InvalidOperation(
                "This endpoint is disabled, as it did nothing but fail for days. Enable it first: "
                "POST /api/webhooks/endpoints/{id}/enable"
            )
        if delivery_id is None:
            raise NotFound("Webhook delivery not found")
        self._notify()
        return delivery_id
