"""The part of the client that operators use: types, queues, workers, numbers, schedules."""

from typing import Any

from jobcast.client.models import model, models
from jobcast.client.operation_models import Health, JobType, Queue, Schedule, Stats, Worker
from jobcast.client.paths import segment
from jobcast.client.transport import Transport, given


class Operations:
    """What the server runs and when; `AsyncClient` is one of these."""

    _transport: Transport

    async def health(self) -> Health:
        """That the server answers. Needs no credentials."""
        return model(Health, await self._transport.bare("/health"))

    async def job_types(self) -> list[JobType]:
        """The types that workers handle, with the JSON Schema of their payloads."""
        return models(JobType, (await self._transport.call("GET", "/job-types")).data)

    async def queues(self) -> list[Queue]:
        """The queues, with their depth and the age of their oldest job."""
        return models(Queue, (await self._transport.call("GET", "/queues")).data)

    async def queue_pause(self, name: str) -> None:
        """Stops a queue: what runs goes on, nothing is begun. For service keys."""
        await self._transport.call("POST", f"/queues/{segment(name)}/pause", repeatable=True)

    async def queue_resume(self, name: str) -> None:
        """Lets a queue go on."""
        await self._transport.call("POST", f"/queues/{segment(name)}/resume", repeatable=True)

    async def stats(self, *, minutes: int | None = None) -> Stats:
        """What became of jobs in the last `minutes` (60), minute by minute."""
        answer = await self._transport.call("GET", "/stats", params={"minutes": minutes})
        return model(Stats, answer.data)

    async def workers(self) -> list[Worker]:
        """The workers that are alive."""
        return models(Worker, (await self._transport.call("GET", "/workers")).data)

    async def schedules_list(self, *, tenant: str | None = None) -> list[Schedule]:
        """All schedules, by name."""
        return models(Schedule, await self._transport.all_pages("/schedules", tenantId=tenant))

    async def schedules_get(self, id: str) -> Schedule:
        """One schedule."""
        answer = await self._transport.call("GET", f"/schedules/{segment(id)}")
        return model(Schedule, answer.data)

    async def schedules_create(
        self,
        name: str,
        cron: str,
        type: str,
        payload: Any = None,
        *,
        timezone: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        enabled: bool | None = None,
        tenant: str | None = None,
    ) -> Schedule:
        """A job of `type` at every tick of `cron`, like `0 3 * * *`, in `timezone` (UTC).

        Raises Conflict where the name is taken.
        """
        body = given(
            name=name,
            cron=cron,
            type=type,
            payload=payload,
            timezone=timezone,
            queue=queue,
            priority=priority,
            enabled=enabled,
            tenantId=tenant,
        )
        return model(Schedule, (await self._transport.call("POST", "/schedules", json=body)).data)

    async def schedules_set(
        self,
        id: str,
        *,
        cron: str | None = None,
        type: str | None = None,
        payload: Any = None,
        timezone: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        enabled: bool | None = None,
    ) -> Schedule:
        """Changes what is given; one that is declared in code can only be enabled and disabled."""
        body = given(
            cron=cron,
            type=type,
            payload=payload,
            timezone=timezone,
            queue=queue,
            priority=priority,
            enabled=enabled,
        )
        answer = await self._transport.call("PATCH", f"/schedules/{segment(id)}", json=body)
        return model(Schedule, answer.data)

    async def schedules_delete(self, id: str) -> None:
        """Deletes a schedule; its jobs stay."""
        await self._transport.call("DELETE", f"/schedules/{segment(id)}")
