"""Following jobs to their end, one or several, or all of a tenant without end."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from jobcast.cli.errors import DONE, JOB_FAILED, CliError
from jobcast.client import AsyncClient, Event, Job, NotFound

if TYPE_CHECKING:
    from jobcast.cli.many_views import ManyView
    from jobcast.cli.views import View


async def follow(client: AsyncClient, job_id: str, view: "View") -> int:
    """Shows the whole story of a job and answers the exit code of its end.

    Replays what has been and goes on live; a job that has already ended is told and left.
    """
    with view.open():
        async with aclosing(_story(client, job_id)) as story:
            async for step in story:
                if isinstance(step, Event):
                    view.show(step)
                end = step
    view.outcome(end)
    return DONE if end.status == "DONE" else JOB_FAILED


async def follow_many(client: AsyncClient, job_ids: Sequence[str], view: "ManyView") -> int:
    """Shows several jobs side by side; 0 when all of them are DONE.

    Raises CliError, before anything is shown, for an id that is none.
    """
    jobs = await asyncio.gather(*(client.get(id) for id in job_ids), return_exceptions=True)
    for job_id, job in zip(job_ids, jobs, strict=True):
        if isinstance(job, BaseException):
            raise _about(job_id, job)

    async def one(job_id: str) -> bool:
        async with aclosing(_story(client, job_id)) as story:
            async for step in story:
                if isinstance(step, Event):
                    view.show(step)
                end = step
        view.outcome(job_id, end)
        return end.status == "DONE"

    with view.open():
        view.begin([job for job in jobs if not isinstance(job, BaseException)])
        tasks = [asyncio.create_task(one(job_id)) for job_id in job_ids]
        try:
            ended = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return DONE if all(ended) else JOB_FAILED


async def follow_all(
    client: AsyncClient, view: "ManyView", *, type: str | None, tenant: str | None
) -> None:
    """Shows whatever happens to jobs of a tenant, of one type if that is given, until Ctrl-C."""
    with view.open():
        async with aclosing(client.watch_all(tenant=tenant)) as events:
            async for event in events:
                if type is None or event.job_type in (type, None):
                    view.show(event)
                    if event.terminal:
                        view.outcome(event.job_id or "", event)


async def _story(client: AsyncClient, job_id: str) -> AsyncGenerator[Event | Job, None]:
    """The events of a job; the last is its end, which is the job where no event can tell it."""
    after = 0
    while True:
        ended = False
        async with aclosing(client.watch(job_id, after)) as events:
            async for event in events:
                after = max(after, event.seq)
                ended = event.terminal
                yield event
        if ended:
            return
        job = await client.get(job_id)  # its last event can't be replayed
        if job.ended:
            yield job
            return


def _about(job_id: str, problem: BaseException) -> BaseException:
    if isinstance(problem, NotFound):
        return CliError(
            f"There is no job {job_id}. `jobcast list` shows the jobs there are.", code="NOT_FOUND"
        )
    return problem
