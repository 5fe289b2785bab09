"""`AsyncClient`: everything a program can ask of a Jobcast server, typed."""

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from jobcast.client import address
from jobcast.client.accounts import Accounts
from jobcast.client.backoff import Pauses
from jobcast.client.findings import Findings
from jobcast.client.models import Event, Job, Page, model, models
from jobcast.client.paths import segment
from jobcast.client.tenants import Tenants
from jobcast.client.transport import Transport
from jobcast.client.watching import Watch

LONG_POLL: Final = 30.0
"""Seconds of one long poll; the server allows 60, proxies often less."""

MAX_WAIT: Final = 60.0


class AsyncClient(Accounts, Tenants, Findings):
    """A client of the server at `url`, with an API key or an access (or watch) token.

    Use it as `async with AsyncClient(url, key) as client`. It may be shared by tasks. `retry_for`
    is for how long a call that failed for a passing reason is tried again, and `reconnect_for`
    for how long a watch tries to come back, both in seconds. Every call may raise the errors of
    `jobcast.client.errors`; Unreachable, Unauthorized and ServerError always.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        token: str | None = None,
        retry_for: float = 30.0,
        reconnect_for: float = 300.0,
    ) -> None:
        self._address = address.parse(url)
        self._reconnect_for = reconnect_for
        self._transport = Transport(
            self._address, key=key, token=token, pauses=lambda: Pauses(budget=retry_for)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections; the client can't be used after that."""
        await self._transport.aclose()

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
        job is the answer. A naive `run_at` is local time.
        Raises InvalidRequest (`errors` by field), Conflict for an idempotency key that was used
        with another body, and RateLimited.
        """
        body = {
            "type": type,
            "payload": payload,
            "queue": queue,
            "priority": priority,
            "runAt": None if run_at is None else _instant(run_at),
            "delayMs": delay_ms,
            "maxAttempts": max_attempts,
            "timeoutMs": timeout_ms,
            "tags": None if tags is None else list(tags),
            "uniqueKey": unique_key,
            "webhookUrl": webhook_url,
            "channel": channel,
            "tenantId": tenant,
        }
        answer = await self._transport.call(
            "POST",
            "/jobs",
            json={name: value for name, value in body.items() if value is not None},
            headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())},
            repeatable=True,
        )
        return model(Job, answer.data)

    async def get(self, id: str, wait: float | None = None) -> Job:
        """The job as it is now, or as soon as it ends within `wait` seconds (at most 60)."""
        patience = 0.0 if wait is None else min(wait, MAX_WAIT)
        answer = await self._transport.call(
            "GET",
            f"/jobs/{segment(id)}",
            params={"wait": None if wait is None else f"{patience:g}"},
            patience=patience,
        )
        return model(Job, answer.data)

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
        body = {} if payload is None else {"payload": payload}
        answer = await self._transport.call("POST", f"/jobs/{segment(id)}/retry", json=body)
        return model(Job, answer.data)

    def watch(self, id: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """The events of a job with seq > `after`, in order, each once, then live to its end.

        Lost connections are taken up again where they broke. A `gap` event says that something
        could not be replayed. Ends after the newest terminal event, at once if that is not after
        `after`. Raises NotFound, and Disconnected when the server wants no reconnect.
        """
        pauses = Pauses(budget=self._reconnect_for)
        return Watch(self._address, self._transport, pauses, job_id=id, after=after).events()

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
            if left <= LONG_POLL and deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"Job {id} had not ended after {timeout:g} seconds.")
            if time.monotonic() - asked < 1.0:  # a server that does not hold the poll
                await pauses.wait()

    async def health(self) -> dict[str, Any]:
        """What `/health` says: `status` and `timestamp`. Needs no credentials."""
        return await self._transport.bare("/health")

    async def job_types(self) -> Any:
        """The types that workers handle, with the JSON Schema of their payloads."""
        return (await self._transport.call("GET", "/job-types")).data

    async def queues(self) -> Any:
        """The queues, with their depth and the age of their oldest job."""
        return (await self._transport.call("GET", "/queues")).data

    async def stats(self) -> Any:
        """Counts by minute, as the server keeps them."""
        return (await self._transport.call("GET", "/stats")).data

    async def workers(self) -> Any:
        """The workers that are alive."""
        return (await self._transport.call("GET", "/workers")).data


def _instant(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
