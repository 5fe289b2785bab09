"""What users do to a job that is there, for those who have asked their rights already."""

from collections.abc import Sequence

from jobcast.services.announcing import Announcer
from jobcast.services.waiting import Waiting
from jobcast.store.base import Changed, Outcome, Store


class Changes:
    """Cancels and puts back; what changes is announced when it is committed.

    Both answer as the store does: with what has changed, why it could not, or None for no job.
    """

    def __init__(self, store: Store, announcer: Announcer, waiting: Waiting) -> None:
        self._store = store
        self._announcer = announcer
        self._waiting = waiting

    async def cancel(self, job_id: str, *, waiting_only: bool) -> Outcome:
        """Cancels a job that waits; one that runs is asked to stop unless `waiting_only`."""
        answer = await self._store.cancel(job_id, waiting_only=waiting_only)
        if isinstance(answer, Changed) and answer.job.session_id is not None:
            await self._announcer.cancelling(answer.job)
        return await self._announced(answer)

    async def cancel_all(self, job_ids: Sequence[str]) -> list[Outcome]:
        """As `cancel`, of many at once, also those that run; in their order."""
        answers = await self._store.cancel_all(job_ids)
        done = [answer for answer in answers if isinstance(answer, Changed)]
        for change in done:
            if change.job.session_id is not None:
                await self._announcer.cancelling(change.job)
        await self._announcer.changed(done)
        return answers

    async def put_back(self, job_id: str, tenant_id: str, *, payload: str | None = None) -> Outcome:
        """Puts a FAILED or CANCELLED job back; raises QuotaExceeded where too many wait."""
        await self._waiting.admit(tenant_id)
        made = 0
        try:
            answer = await self._store.resubmit(job_id, payload=payload)
            made = int(isinstance(answer, Changed))
        finally:
            self._waiting.settled(tenant_id, made=made)
        return await self._announced(answer)

    async def _announced(self, answer: Outcome) -> Outcome:
        if isinstance(answer, Changed):
            await self._announcer.changed([answer])
        return answer
