"""Following one job to its end."""

from jobcast.cli.errors import DONE, JOB_FAILED
from jobcast.cli.views import View
from jobcast.client import AsyncClient, Event, Job


async def follow(client: AsyncClient, job_id: str, view: View) -> int:
    """Shows the whole story of a job and answers the exit code of its end.

    Replays what has been and goes on live; a job that has already ended is told and left.
    """
    with view.open():
        end = await _watch(client, job_id, view)
    view.outcome(end)
    return DONE if end.status == "DONE" else JOB_FAILED


async def _watch(client: AsyncClient, job_id: str, view: View) -> Event | Job:
    after = 0
    while True:
        end: Event | None = None
        async for event in client.watch(job_id, after):
            after = max(after, event.seq)
            end = event if event.terminal else None
            view.show(event)
        if end is not None:
            return end
        job = await client.get(job_id)  # its last event can't be replayed
        if job.ended:
            return job
