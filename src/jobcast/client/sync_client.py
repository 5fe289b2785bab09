"""`Client`: everything a program can ask of a Jobcast server, in blocking calls.

Written by `make client` from the classes that make up `AsyncClient`; change those.
"""

import os
from collections.abc import Generator, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from jobcast.client.account_models import ApiKey, Identity, Invite, Tenant, Tokens, WatchToken
from jobcast.client.blocking import Blocking, Channel
from jobcast.client.channel_models import (
    ChannelInfo,
    History,
    Published,
)
from jobcast.client.models import Event, File, Job, LogLine, OutputPiece, Page
from jobcast.client.new_job import NewJob
from jobcast.client.operation_models import Health, JobType, Queue, Schedule, Stats, Worker
from jobcast.client.transport import PAGE
from jobcast.client.webhook_models import WebhookAttempt, WebhookEndpoint, WebhookSecret


class _Tenants(Blocking):
    def tenants_list(self) -> list[Tenant]:
        """All tenants in sight, by id: every one for a service key, their own for owners."""
        return self._portal.run(lambda client: client.tenants_list())

    def tenants_get(self, id: str) -> Tenant:
        """One tenant."""
        return self._portal.run(lambda client: client.tenants_get(id))

    def tenants_create(
        self,
        id: str | None = None,
        *,
        name: str | None = None,
        weight: int | None = None,
        rate_limit: int | None = None,
        key_rate_limit: int | None = None,
        max_running: int | None = None,
        max_waiting: int | None = None,
    ) -> Tenant:
        """A new tenant; its id is made up where none is given.

        Raises Conflict where the id is taken, Forbidden for all but service keys.
        """
        return self._portal.run(
            lambda client: client.tenants_create(
                id,
                name=name,
                weight=weight,
                rate_limit=rate_limit,
                key_rate_limit=key_rate_limit,
                max_running=max_running,
                max_waiting=max_waiting,
            )
        )

    def tenants_set(
        self,
        id: str,
        *,
        name: str | UnsetType | None = UNSET,
        weight: int | UnsetType = UNSET,
        rate_limit: int | UnsetType | None = UNSET,
        key_rate_limit: int | UnsetType | None = UNSET,
        max_running: int | UnsetType | None = UNSET,
        max_waiting: int | UnsetType | None = UNSET,
    ) -> Tenant:
        """Changes what is given; a limit of None is the usual one again, or no cap."""
        return self._portal.run(
            lambda client: client.tenants_set(
                id,
                name=name,
                weight=weight,
                rate_limit=rate_limit,
                key_rate_limit=key_rate_limit,
                max_running=max_running,
                max_waiting=max_waiting,
            )
        )

    def tenants_invite(self, id: str, *, email: str | None = None, owner: bool = False) -> Invite:
        """An invite into a tenant. Its `url` and `invite` are shown here and never again."""
        return self._portal.run(lambda client: client.tenants_invite(id, email=email, owner=owner))


class _Accounts(Blocking):
    def login(self, email: str, password: str) -> Tokens:
        """Logs in and, from now on, calls with the tokens that this gave, renewing them in time.

        Raises Unauthorized for a wrong address or password.
        """
        return self._portal.run(lambda client: client.login(email, password))

    def logout(self) -> None:
        """Ends the login; later calls use the API key, if the client has one."""
        return self._portal.run(lambda client: client.logout())

    def me(self) -> Identity:
        """Who the credentials belong to."""
        return self._portal.run(lambda client: client.me())

    def keys_create(
        self,
        name: str | None = None,
        *,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        rate_limit: int | None = None,
        tenant: str | None = None,
    ) -> ApiKey:
        """A new API key. Its `key` is shown here and never again.

        `scopes`, like `jobs:read`, may be no wider than the caller's own; by default the key may
        do all that is about jobs and channels. `rate_limit` is in jobs a minute, `tenant` for
        service keys. Raises Forbidden for a caller that may make none.
        """
        return self._portal.run(
            lambda client: client.keys_create(
                name, scopes=scopes, expires_at=expires_at, rate_limit=rate_limit, tenant=tenant
            )
        )

    def keys_list(self) -> list[ApiKey]:
        """All API keys of this account, without their secrets, in the server's order."""
        return self._portal.run(lambda client: client.keys_list())

    def keys_revoke(self, id: str) -> None:
        """Revokes the API key with this id. Raises NotFound when there is none."""
        return self._portal.run(lambda client: client.keys_revoke(id))


class _Webhooks(Blocking):
    def webhook_logs(self, id: str) -> list[WebhookAttempt]:
        """The attempts to deliver a job's ends, oldest first; of more than 100 the newest."""
        return self._portal.run(lambda client: client.webhook_logs(id))

    def webhook_redeliver(self, id: str, delivery_id: str) -> None:
        """Sends one delivery of a job again: `delivery_id` is that of a log row."""
        return self._portal.run(lambda client: client.webhook_redeliver(id, delivery_id))

    def webhooks_redeliver(self, since: datetime, *, tenant: str | None = None) -> int:
        """Sends again all that failed since then, and answers how many those are."""
        return self._portal.run(lambda client: client.webhooks_redeliver(since, tenant=tenant))

    def webhooks_endpoints(self, *, tenant: str | None = None) -> list[WebhookEndpoint]:
        """Where webhooks go, and how that fares."""
        return self._portal.run(lambda client: client.webhooks_endpoints(tenant=tenant))

    def webhooks_enable(self, id: str, *, tenant: str | None = None) -> None:
        """Calls a disabled endpoint again: its id, or any address on it."""
        return self._portal.run(lambda client: client.webhooks_enable(id, tenant=tenant))

    def webhooks_secrets(self, *, tenant: str | None = None) -> list[WebhookSecret]:
        """The secrets that sign, the newest first; none where the server's own does."""
        return self._portal.run(lambda client: client.webhooks_secrets(tenant=tenant))

    def webhooks_rotate(
        self, *, overlap_seconds: int | None = None, tenant: str | None = None
    ) -> list[WebhookSecret]:
        """Makes a new secret; the one before signs beside it for `overlap_seconds` (a day)."""
        return self._portal.run(
            lambda client: client.webhooks_rotate(overlap_seconds=overlap_seconds, tenant=tenant)
        )


class _Operations(Blocking):
    def health(self) -> Health:
        """That the server answers. Needs no credentials."""
        return self._portal.run(lambda client: client.health())

    def job_types(self) -> list[JobType]:
        """The types that workers handle, with the JSON Schema of their payloads."""
        return self._portal.run(lambda client: client.job_types())

    def queues(self) -> list[Queue]:
        """The queues, with their depth and the age of their oldest job."""
        return self._portal.run(lambda client: client.queues())

    def queue_pause(self, name: str) -> None:
        """Stops a queue: what runs goes on, nothing is begun. For service keys."""
        return self._portal.run(lambda client: client.queue_pause(name))

    def queue_resume(self, name: str) -> None:
        """Lets a queue go on."""
        return self._portal.run(lambda client: client.queue_resume(name))

    def stats(self, *, minutes: int | None = None) -> Stats:
        """What became of jobs in the last `minutes` (60), minute by minute."""
        return self._portal.run(lambda client: client.stats(minutes=minutes))

    def workers(self) -> list[Worker]:
        """The workers that are alive."""
        return self._portal.run(lambda client: client.workers())

    def schedules_list(self, *, tenant: str | None = None) -> list[Schedule]:
        """All schedules, by name."""
        return self._portal.run(lambda client: client.schedules_list(tenant=tenant))

    def schedules_get(self, id: str) -> Schedule:
        """One schedule."""
        return self._portal.run(lambda client: client.schedules_get(id))

    def schedules_create(
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
        return self._portal.run(
            lambda client: client.schedules_create(
                name,
                cron,
                type,
                payload,
                timezone=timezone,
                queue=queue,
                priority=priority,
                enabled=enabled,
                tenant=tenant,
            )
        )

    def schedules_set(
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
        return self._portal.run(
            lambda client: client.schedules_set(
                id,
                cron=cron,
                type=type,
                payload=payload,
                timezone=timezone,
                queue=queue,
                priority=priority,
                enabled=enabled,
            )
        )

    def schedules_delete(self, id: str) -> None:
        """Deletes a schedule; its jobs stay."""
        return self._portal.run(lambda client: client.schedules_delete(id))


class _Channels(Blocking):
    def channels_list(self, *, tenant: str | None = None) -> list[ChannelInfo]:
        """The channels in which something happened within a day, by name."""
        return self._portal.run(lambda client: client.channels_list(tenant=tenant))

    def channel(self, name: str, *, tenant: str | None = None) -> ChannelInfo:
        """Who is in a channel, over all gateways, and its newest message."""
        return self._portal.run(lambda client: client.channel(name, tenant=tenant))

    def history(
        self,
        name: str,
        *,
        after: int | None = None,
        epoch: str | None = None,
        tenant: str | None = None,
    ) -> History:
        """What was said behind offset `after`: of the last 100 messages or 24 hours.

        `epoch` is that of `after`; where the history is another one, all of it is the answer.
        """
        return self._portal.run(
            lambda client: client.history(name, after=after, epoch=epoch, tenant=tenant)
        )

    def publish(self, name: str, data: Any, *, tenant: str | None = None) -> Published:
        """Says `data`, any JSON, to all who are in a channel, without taking part.

        It is not repeated after a lost connection: that could say it twice.
        """
        return self._portal.run(lambda client: client.publish(name, data, tenant=tenant))

    def join(
        self,
        name: str,
        *,
        after: int | None = None,
        epoch: str | None = None,
        tenant: str | None = None,
    ) -> Channel:
        """Takes part in a channel, as a context manager.

        Messages come from now on, or from behind offset `after` of `epoch`.
        """
        return Channel(
            self._portal,
            name,
            lambda client: client.join(name, after=after, epoch=epoch, tenant=tenant),
        )


class _Findings(Blocking):
    def logs(self, id: str, *, after: int = 0) -> list[LogLine]:
        """The log of a job behind seq `after`, oldest line first."""
        return self._portal.run(lambda client: client.logs(id, after=after))

    def output(
        self, id: str, *, after: int = 0, attempt: int | Literal["all"] | None = None
    ) -> Generator[OutputPiece, None, None]:
        """The stored output with seq > `after`, in order: of the latest attempt by default.

        For output as it comes, `watch` the job.
        """
        return self._portal.each(lambda client: client.output(id, after=after, attempt=attempt))

    def files(self, id: str) -> list[File]:
        """The files that a job saved."""
        return self._portal.run(lambda client: client.files(id))

    def file(self, id: str, name: str) -> bytes:
        """The bytes of one file of a job."""
        return self._portal.run(lambda client: client.file(id, name))

    def download(self, id: str, name: str, to: str | os.PathLike[str] = ".") -> Path:
        """Writes a file of a job to `to`, a folder or the file to write, and answers where it is.

        It is written piece by piece beside its place, then put there, whole or not at all; what is
        there already is replaced. Raises NotFound, and OSError where it can't be written.
        """
        return self._portal.run(lambda client: client.download(id, name, to))


class _Jobs(Blocking):
    def submit(
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
        return self._portal.run(
            lambda client: client.submit(
                type,
                payload,
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
                idempotency_key=idempotency_key,
            )
        )

    def submit_batch(
        self, jobs: Iterable[NewJob], *, idempotency_key: str | None = None
    ) -> Sequence[Job]:
        """Submits up to 1,000 jobs, all or none of them; answers them in their order.

        Safe to repeat like `submit`. Where one is refused InvalidRequest names it, as in
        `errors["jobs[3].payload.url"]`, and none was made.
        """
        return self._portal.run(
            lambda client: client.submit_batch(jobs, idempotency_key=idempotency_key)
        )

    def get(self, id: str, wait: float | None = None) -> Job:
        """The job as it is now, or as soon as it ends within `wait` seconds (at most 60)."""
        return self._portal.run(lambda client: client.get(id, wait))

    def wait(self, id: str, timeout: float | None = None) -> Job:
        """The job once it has ended. Raises TimeoutError after `timeout` seconds."""
        return self._portal.run(lambda client: client.wait(id, timeout))

    def result(self, id: str, timeout: float | None = None) -> Any:
        """The result of the job once it is DONE.

        Raises JobFailed, which has the job, when it ends as FAILED or CANCELLED, and TimeoutError
        after `timeout` seconds.
        """
        return self._portal.run(lambda client: client.result(id, timeout))

    def list(
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
        return self._portal.run(
            lambda client: client.list(
                status=status,
                type=type,
                queue=queue,
                tag=tag,
                user_id=user_id,
                tenant=tenant,
                q=q,
                sort=sort,
                page=page,
                limit=limit,
                cursor=cursor,
            )
        )

    def pages(
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
    ) -> Generator[Page, None, None]:
        """All pages of `list`, one after the other, each fetched when it is asked for.

        What is submitted meanwhile neither repeats nor hides a job.
        """
        return self._portal.each(
            lambda client: client.pages(
                status=status,
                type=type,
                queue=queue,
                tag=tag,
                user_id=user_id,
                tenant=tenant,
                q=q,
                sort=sort,
                limit=limit,
            )
        )

    def cancel(self, id: str) -> Job:
        """Asks for a job to be cancelled, also while it runs; a result that comes first wins."""
        return self._portal.run(lambda client: client.cancel(id))

    def delete(self, id: str) -> Job:
        """Cancels a job that is still PENDING. Raises InvalidRequest when it is not."""
        return self._portal.run(lambda client: client.delete(id))

    def retry(self, id: str, payload: Any = None) -> Job:
        """Runs a FAILED or CANCELLED job again, with `payload` in place of its own if given.

        Raises InvalidRequest in any other state, Conflict where its unique key is live.
        """
        return self._portal.run(lambda client: client.retry(id, payload))

    def bulk(
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
        return self._portal.run(
            lambda client: client.bulk(
                action,
                status=status,
                type=type,
                queue=queue,
                tag=tag,
                user_id=user_id,
                tenant=tenant,
                q=q,
                idempotency_key=idempotency_key,
            )
        )

    def watch_token(self, id: str, *, expires_in: int | None = None) -> WatchToken:
        """A token that reads this job alone, not its payload, for `expires_in` seconds (900)."""
        return self._portal.run(lambda client: client.watch_token(id, expires_in=expires_in))


class Client(_Jobs, _Findings, _Channels, _Operations, _Webhooks, _Accounts, _Tenants):
    """A client of the server at `url`, with an API key or an access (or watch) token.

    Use it as `with Client(url, key) as client`. It may be shared by threads, also where an event
    loop runs, and its iterators are plain ones. `retry_for` is for how long a call that failed for
    a passing reason is tried again, and `reconnect_for` for how long a watch tries to come back,
    both in seconds. Every call may raise the errors of `jobcast.client.errors`; Unreachable,
    Unauthorized and ServerError always.
    """

    def watch(self, id: str, after: int = 0) -> Generator[Event, None, None]:
        """The events of a job with seq > `after`, in order, each once, then live to its end.

        Lost connections are taken up again where they broke. A `gap` event says that something
        could not be replayed; one whose `gap_to` is None that the job was deleted. Ends after it,
        or after the newest terminal event, at once if that is not after `after`. Raises NotFound,
        and Disconnected when the server wants no reconnect.
        """
        return self._portal.each(lambda client: client.watch(id, after))

    def watch_all(
        self, *, after: str | None = None, tenant: str | None = None
    ) -> Generator[Event, None, None]:
        """The status events of all jobs of a tenant, your own unless named, live and without end.

        With `after`, the `cursor` of an earlier event, first what came since then: it may repeat
        what came just before. Lost connections are taken up again without gap or repeat.
        """
        return self._portal.each(lambda client: client.watch_all(after=after, tenant=tenant))
