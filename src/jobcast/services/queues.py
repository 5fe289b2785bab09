"""Use cases on queues: letting them stand still, and go on."""

from functools import partial

from jobcast.bus.base import ANY_QUEUE, Bus, Message, queue_topic
from jobcast.domain.access import Kind, Principal, Scope, require
from jobcast.domain.errors import Forbidden, InvalidRequest
from jobcast.domain.schedule import NAME, NAME_SENTENCE
from jobcast.runtime import audit
from jobcast.services.actors import actor
from jobcast.store import pausing
from jobcast.store.base import Store


class Queues:
    """Queues are shared by all tenants, so only service keys may pause and resume them."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    async def pause(self, principal: Principal, queue: str) -> None:
        """No worker claims from the queue from now on; what runs goes on, what comes waits."""
        _check(principal, queue)
        await self._store.write(partial(pausing.pause, queue=queue))
        audit.note("queue paused", **actor(principal), queue=queue)

    async def resume(self, principal: Principal, queue: str) -> None:
        """Workers claim from the queue again, at once."""
        _check(principal, queue)
        await self._store.write(partial(pausing.resume, queue=queue))
        audit.note("queue resumed", **actor(principal), queue=queue)
        await self._bus.publish([Message(queue_topic(queue)), Message(ANY_QUEUE)])


def _check(principal: Principal, queue: str) -> None:
    if principal.kind is not Kind.SERVICE:
        require(principal, Scope.WRITE)
        raise Forbidden(
            "Queues are shared by all tenants: only a service key may pause or resume one."
        )
    if not NAME.fullmatch(queue):
        raise InvalidRequest("Validation error", fields={"name": [NAME_SENTENCE]})
