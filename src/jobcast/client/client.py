"""`AsyncClient`: everything a program can ask of a Jobcast server, typed."""

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

from jobcast.client import address
from jobcast.client.accounts import Accounts
from jobcast.client.backoff import Pauses
from jobcast.client.channels import Channels
from jobcast.client.errors import InvalidRequest
from jobcast.client.findings import Findings
from jobcast.client.following import follow
from jobcast.client.jobs import Jobs
from jobcast.client.models import Event
from jobcast.client.operations import Operations
from jobcast.client.submitting import Submissions
from jobcast.client.tenants import Tenants
from jobcast.client.transport import Transport
from jobcast.client.watching import JobTopic, TenantTopic
from jobcast.client.webhooks import Webhooks

RETRY_FOR = 30.0
RECONNECT_FOR = 300.0


class AsyncClient(Jobs, Findings, Channels, Operations, Webhooks, Accounts, Tenants):
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
        retry_for: float = RETRY_FOR,
        reconnect_for: float = RECONNECT_FOR,
    ) -> None:
        self._address = address.parse(url)
        self._reconnect_for = reconnect_for
        self._transport = Transport(
            self._address, key=key, token=token, pauses=lambda: Pauses(budget=retry_for)
        )
        self._submissions = Submissions(self._transport)

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
        """Closes the connections; later calls raise ClientClosed."""
        await self._submissions.aclose()
        await self._transport.aclose()

    def watch(self, id: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """The events of a job with seq > `after`, in order, each once, then live to its end.

        Lost connections are taken up again where they broke. A `gap` event says that something
        could not be replayed; one whose `gap_to` is None that the job was deleted. Ends after it,
        or after the newest terminal event, at once if that is not after `after`. Raises NotFound,
        and Disconnected when the server wants no reconnect.
        """
        return follow(
            JobTopic(id, after=after),
            address=self._address,
            transport=self._transport,
            pauses=Pauses(budget=self._reconnect_for),
        )

    async def watch_all(
        self, *, after: str | None = None, tenant: str | None = None
    ) -> AsyncGenerator[Event, None]:
        """The status events of all jobs of a tenant, your own unless named, live and without end.

        With `after`, the `cursor` of an earlier event, first what came since then: it may repeat
        what came just before. Lost connections are taken up again without gap or repeat.
        """
        tenant_id = tenant or (await self.me()).tenant_id
        if tenant_id is None:
            raise InvalidRequest("These credentials have no tenant: name one with tenant=.")
        events = follow(
            TenantTopic(tenant_id, after=after),
            address=self._address,
            transport=self._transport,
            pauses=Pauses(budget=self._reconnect_for),
        )
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()
