"""The part of the client that makes, lists and changes jobs."""

import time
import uuid
from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from jobcast.client.account_models import WatchToken
from jobcast.client.backoff import Pauses
from jobcast.client.errors import JobFailed
from jobcast.client.models import Job, Page, model, models
from jobcast.client.new_job import NewJob, Options, body_of
from jobcast.client.paths import segment
from jobcast.client.submitting import Submissions
from jobcast.client.transport import PAGE, Transport, encode, given

LONG_POLL: Final = 30.0
"""Seconds of one long poll; the server allows 60, proxies often less."""

MAX_WAIT: Final = 60.0


class Jobs:
    """Jobs from submission to result; `AsyncClient` is one of these."""

    _transport: Transport
    _submissions: Submissions

    async def submit(
        self,
        type: str,
        payload: Any = None,
        *,
        queue: str | None = None,
        priority: int | None = None,
        run_at: datetime | None = None,
        delay_ms: int | None = None,
        max_attempts: int | None = None,
        timeout_ms: int | None = None,
        tags: Sequence[str] | None = None,
        unique_key: str | None = None,
        webhook_url: str | None = None,
        channel: str | None = None,
        tenant: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submits a job and answers it as the server has stored it.

        `payload` is a dict, dataclass, msgspec struct or pydantic model that becomes a JSON object.
        The call is safe to repeat and is repeated after a lost connection: it carries an
        idempotency key, its own unless you give one. Where a job with `unique_key` is live, that
        job is the answer. A naive `run_at` is local time. Many calls at the same time share
        requests; each still gets its own answer or error.
        Raises InvalidRequest (`errors` by field), Conflict for an idempotency key that was used
        with another body, and RateLimited.
        """
        options = Options(
            queue=queue,
            priority=priority,
            run_at=run_at,
            delay_ms=delay_ms,
            max_attempts=max_attempts,
            timeout_ms=timeout_ms,
            tags=tags,
            unique_key=unique_key,
            webhook_url=webhook_url,
            channel=channel,
            tenant=tenant,
        )
        body = encode(body_of(type, payload, options))
        if idempotency_key is None:
            return model(Job, await self._submissions(body))
        answer = await self._transport.call(
            "POST",
            "/jobs",
            body=body,
            headers={"Idempotency-Key": idempotency_key},
            repeatable=True,
        )
        return model(Job, answer.data)

    async def submit_batch(
        self, jobs: Iterable[NewJob], *, idempotency_key: str | None = None
    ) -> Sequence[Job]:
        """Submits up to 1,000 jobs, all or none of them; answers them in their order.

        Safe to repeat like `submit`. Where one is refused InvalidRequest names it, as in
        `errors["jobs[3].payload.url"]`, and none was made.
        """
        answer = await self._transport.call(
            "POST",
            "/jobs/batch",
            json={"jobs": [body_of(job.type, job.payload, job) for job in jobs]},
            headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())},
            repeatable=True,
        )
        return models(Job, answer.data)

    async def get(self, id: str, wait: float | None = None) -> Job:
        """The job as it is now, or as soon as it ends within `wait` seconds (at most 60)."""
        patience = 0.0 if wait is None else min(wait, MAX_WAIT)
        answer = await self._transport.call(
            "GET",
            f"/jobs/{segment(id)}",
            params={"wait": None if wait is None else int(patience)},
            patience=patience,
        )
        return model(Job, answer.data)

    async def wait(self, id: str, timeout: float | None = None) -> Job:
        """The job once it has ended. Raises TimeoutError after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pauses = Pauses(budget=float("inf"))
        while True:
            left = LONG_POLL if deadline is None else deadline - time.monotonic()
            asked = time.monotonic()
            job = await self.get(id, wait=max(0.0, min(LONG_POLL, left)))
            if job.ended:
                return job
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"Job {id} had not ended after {timeout:g} seconds.")
            if time.monotonic() - asked < 1.0:  # a server that does not hold the poll
                await pauses.wait()

    async def result(self, id: str, timeout: float | None = None) -> Any:
        """The result of the job once it is DONE.

        Raises JobFailed, which has the job, when it ends as FAILED or CANCELLED, and TimeoutError
        after `timeout` seconds.
        """
        job = await self.wait(id, timeout)
        if job.status != "DONE":
            raise JobFailed(job)
        return job.result

    async def list(
        self,
        *,
        status: str | None = None,
        type: str | None = None,
        queue: str | None = None,
        tag: str | None = None,
        user_id: str | None = None,
        tenant: str | None = None,
        q: str | None = None,
        sort: str | None = None,
        page: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page:
        """One page of the jobs that match all filters, newest first, without their payloads.

        `sort="createdAt"` turns the order round. `q` matches an id, the start of a type or a tag;
        `limit` is 10 by default, at most 100.
        """
        answer = await self._transport.call(
            "GET",
            "/jobs",
            params={
                "status": status,
                "type": type,
                "queue": queue,
                "tag": tag,
                "userId": user_id,
                "tenantId": tenant,
                "q": q,
                "sort": sort,
                "page": page,
                "limit": limit,
                "cursor": cursor,
            },
        )
        return model(
            Page,
            {**answer.meta, "items": models(Job, answer.data)},
            raw={"data": answer.data, "meta": answer.meta},
        )

    async def pages(
        self,
        *,
        status: str | None = None,
        type: str | None = None,
        queue: str | None = None,
        tag: str | None = None,
        user_id: str | None = None,
        tenant: str | None = None,
        q: str | None = None,
        sort: str | None = None,
        limit: int = PAGE,
    ) -> AsyncGenerator[Page, None]:
        """All pages of `list`, one after the other, each fetched when it is asked for.

        What is submitted meanwhile neither repeats nor hides a job.
        """
        cursor: str | None = None
        while True:
            page = await self.list(
                status=status,
                type=type,
                queue=queue,
                tag=tag,
                user_id=user_id,
                tenant=tenant,
                q=q,
                sort=sort,
                limit=limit,
                cursor=cursor,
            )
            if page.items:
                yield page
            cursor = page.cursor
            if cursor is None:
                return

    async def cancel(self, id: str) -> Job:
        """Asks for a job to be cancelled, also while it runs; a result that comes first wins."""
        return model(Job, (await self._transport.call("POST", f"/jobs/{segment(id)}/cancel")).data)

    async def delete(self, id: str) -> Job:
        """Cancels a job that is still PENDING. Raises InvalidRequest when it is not."""
        return model(Job, (await self._transport.call("DELETE", f"/jobs/{segment(id)}")).data)

    async def retry(self, id: str, payload: Any = None) -> Job:
        """Runs a FAILED or CANCELLED job again, with `payload` in place of its own if given.

        Raises InvalidRequest in any other state, Conflict where its unique key is live.
        """
        answer = await self._transport.call(
            "POST", f"/jobs/{segment(id)}/retry", json=given(payload=payload)
        )
        return model(Job, answer.data)

    async def bulk(
        self,
        action: Literal["cancel", "retry", "delete"],
        *,
        status: str | None = None,
        type: str | None = None,
        queue: str | None = None,
        tag: str | None = None,
        user_id: str | None = None,
        tenant: str | None = None,
        q: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Cancels, retries or deletes all jobs that match the filters of `list`.

        The answer is the job that does it, which can be watched. Only what has ended is deleted.
        Safe to repeat like `submit`.
        """
        filters = given(
            status=status,
            type=type,
            queue=queue,
            tag=tag,
            userId=user_id,
            tenantId=tenant,
            q=q,
        )
        answer = await self._transport.call(
            "POST",
            "/jobs/bulk",
            json={"action": action, "filter": filters},
            headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())},
            repeatable=True,
        )
        return model(Job, answer.data)

    async def watch_token(self, id: str, *, expires_in: int | None = None) -> WatchToken:
        """A token that reads this job alone, not its payload, for `expires_in` seconds (900)."""
        answer = await self._transport.call(
            "POST", f"/jobs/{segment(id)}/tokens", json=given(expiresIn=expires_in)
        )
        return model(WatchToken, answer.data)
