"""The loop that delivers webhooks.

    due ──lease──▶ in flight ──post──▶ answer ──record, under the lease──▶ settled, or due again

Each step may be the last one of this process: a lease that nobody records ends by itself, and the
next taker posts again under the same `webhook-id` (at least once). Deliveries are taken only as
there is room for them, so a lease never waits behind others, and what one endpoint leaves lying
holds up nobody else.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, Protocol

import structlog
from structlog.contextvars import bind_contextvars

from jobcast.domain.webhook import Answer, DeliveryState, Next, after_attempt
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock
from jobcast.runtime.ids import new_id
from jobcast.runtime.loops import Ticker
from jobcast.runtime.tracing import PASSING, Tracing, Work
from jobcast.services import delivery_batches
from jobcast.services.delivery_batches import HELD_BACK, Parcel
from jobcast.services.delivery_record import Counts, Recorder
from jobcast.services.posting import TOTAL_TIMEOUT
from jobcast.services.refusals import Quota, longer, refused
from jobcast.services.signing import sign
from jobcast.store.base import Store
from jobcast.store.delivery_leases import Attempted

log: Final = structlog.get_logger("jobcast.webhooks")

LEASE_MS: Final = 60_000
"""Four times the longest attempt: room for a slow record and for clocks that differ."""

POLL: Final = 1.0
"""Seconds until the loop looks by itself, whatever hints it got."""

DISABLE_AFTER: Final = 5 * 24 * 3_600.0
"""Seconds of nothing but failures until an endpoint is disabled: the settings' own default."""

MAX_BYTES: Final = 2 * 1024 * 1024
"""Bytes of a body that is sent: the settings' own default."""

UNSENT: Final = "could not be sent"


class Post(Protocol):
    """Sends one request; answers for whatever the receiver does."""

    def __call__(
        self, url: str, *, body: bytes, headers: Mapping[str, str]
    ) -> Awaitable[Answer]: ...


class Deliverer(AbstractAsyncContextManager["Deliverer"]):
    """Delivers what is due, within a context.

    `secrets` sign for tenants that have none of their own, the newest first; `schedule` is the wait
    in seconds before each attempt; an endpoint that has only failed for `disable_after` seconds is
    disabled. At most `total` attempts are in flight, `per_endpoint` of them to one endpoint.
    Leaving the context takes no more, gives those in flight `grace` seconds, and leaves the rest to
    their leases.
    """

    def __init__(
        self,
        store: Store,
        post: Post,
        *,
        clock: Clock,
        secrets: Sequence[str],
        schedule: Sequence[float],
        disable_after: float = DISABLE_AFTER,
        max_bytes: int = MAX_BYTES,
        total: int = 64,
        per_endpoint: int = 5,
        attempt_time: float = TOTAL_TIMEOUT,
        grace: float = 10.0,
        backoff: float = 0.1,
        chance: Callable[[], float] = random.random,
        tracing: Tracing = PASSING,
    ) -> None:
        if not secrets:
            raise ValueError("Webhooks need a secret to be signed with.")
        self._store = store
        self._post = post
        self._clock = clock
        self._secrets = tuple(secrets)
        self._schedule = tuple(schedule)
        self._max_bytes = max_bytes
        self._total = total
        self._per_endpoint = per_endpoint
        self._attempt_ms = int(attempt_time * 1_000)
        self._grace = grace
        self._chance = chance
        self._tracing = tracing
        self._ticker = Ticker("webhooks", self.tick, every=POLL)
        self._flights: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()
        self._cursor: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.counts: Final = Counts()
        self._record = Recorder(
            store,
            clock=clock,
            disable_after=disable_after,
            limit=total,
            backoff=backoff,
            counts=self.counts,
        )

    @property
    def in_flight(self) -> int:
        """How many deliveries are being attempted or recorded."""
        return len(self._flights)

    def notify(self) -> None:
        """A hint that something is due; from the loop's own thread."""
        self._ticker.nudge()

    async def __aenter__(self) -> "Deliverer":
        await self._ticker.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._ticker.__aexit__(kind, problem, trace)
        if self._timer is not None:
            self._timer.cancel()
        if self._flights:
            _, late = await asyncio.wait(self._flights, timeout=self._grace)
            for flight in late:
                flight.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._record.close()

    async def once(self) -> int:
        """Delivers until nothing is due any more, and returns when it is recorded; how many."""
        begun = self.counts.posted
        more: bool = True
        while more:
            more = await self.tick()
            while self._flights:
                await asyncio.wait(self._flights)
                more = True
        return self.counts.posted - begun

    async def tick(self) -> bool:
        """Takes what is due and there is room for, and sends it on its way; True: again at once."""
        room = self._total - len(self._flights)
        if room <= 0:
            return False
        now = self._clock.now()
        token, busy, cursor = new_id(), dict(self._busy), self._cursor
        got, parcels = await self._store.write(
            lambda conn: delivery_batches.take(
                conn,
                token=token,
                now=now,
                until=now + LEASE_MS,
                limit=room,
                per_endpoint=self._per_endpoint,
                busy=busy,
                cursor=cursor,
                own=self._secrets,
            )
        )
        self._cursor = got.cursor
        for parcel in parcels:
            self._start(parcel)
        self._look_at(got.next_due)
        return got.more

    def _start(self, parcel: Parcel) -> None:
        delivery = parcel.delivery
        flight = asyncio.create_task(self._fly(parcel), name=f"webhook {delivery.id}")
        self._flights.add(flight)
        self._busy[delivery.endpoint] += 1

        def land(landed: asyncio.Task[None]) -> None:
            self._flights.discard(landed)
            self._busy[delivery.endpoint] -= 1
            if not self._busy[delivery.endpoint]:
                del self._busy[delivery.endpoint]
            self.notify()

        flight.add_done_callback(land)

    async def _fly(self, parcel: Parcel) -> None:
        delivery = parcel.delivery
        # In the context of this task alone.
        bind_contextvars(job_id=delivery.job_id, delivery=delivery.id)
        audit.about(tenant=delivery.tenant_id)
        at = self._clock.now()
        if at + self._attempt_ms > delivery.leased_until:
            self.counts.lost += 1  # taking it took so long that another may take it meanwhile
            return
        if parcel.held:
            self.counts.held += 1
            answer, then = HELD_BACK, Next(DeliveryState.FAILED)
        elif longer(delivery.body, self._max_bytes):
            refused(Quota.WEBHOOK)
            sentence = f"the webhook is larger than {self._max_bytes} bytes"
            answer, then = Answer(None, sentence), Next(DeliveryState.FAILED)
        else:
            answer = await self._try(parcel, at=at)
            self.counts.posted += 1
            then = after_attempt(
                answer,
                schedule=self._schedule,
                attempt=delivery.round_attempt,
                now=self._clock.now(),
                chance=self._chance(),
            )
        attempted = Attempted(new_id(), delivery, at, answer, then)
        if await self._record(attempted):
            self._count(attempted)
        else:
            self.counts.lost += 1

    async def _try(self, parcel: Parcel, *, at: int) -> Answer:
        delivery = parcel.delivery
        body = delivery.body.encode()
        try:
            vouchers = sign(
                body,
                secrets=parcel.secrets,
                webhook_id=f"{delivery.job_id}_{delivery.seq}",
                timestamp=at // 1_000,
            )
            headers = {"X-Jobcast-Attempt": str(delivery.attempt), **vouchers}
            with self._tracing.span(
                Work.WEBHOOK,
                "POST",
                parent=delivery.traceparent,
                endpoint=delivery.endpoint,  # not the whole address: its path may be a secret
                job=delivery.job_id,
                tenant=delivery.tenant_id,
                attempt=delivery.attempt,
            ) as span:
                if span.traceparent is not None:
                    headers["traceparent"] = span.traceparent
                answer = await self._post(delivery.url, body=body, headers=headers)
                if answer.status_code is not None:
                    span.note(status=answer.status_code)
                if answer.error is not None:
                    span.failed(answer.error)
            return answer
        except Exception:
            # Our own bug: it costs this delivery an attempt, so that it can't go round for ever.
            log.exception("webhook not sent")
            return Answer(None, UNSENT)

    def _count(self, attempted: Attempted) -> None:
        match attempted.next.state:
            case DeliveryState.SUCCEEDED:
                self.counts.succeeded += 1
                return
            case DeliveryState.PENDING:
                self.counts.retried += 1
            case DeliveryState.FAILED:
                self.counts.failed += 1
            case DeliveryState.GONE:
                self.counts.gone += 1
        log.info(
            "webhook not delivered",
            endpoint=attempted.delivery.endpoint,  # not the whole address: its path may be a secret
            attempt=attempted.delivery.attempt,
            status=attempted.answer.status_code,
            error=attempted.answer.error,
            state=attempted.next.state.value,
        )

    def _look_at(self, due: int | None) -> None:
        """Wakes the loop when the next delivery is due, if that is before it polls."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait = POLL if due is None else (due - self._clock.now()) / 1_000
        if wait < POLL:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wait), self.notify)
