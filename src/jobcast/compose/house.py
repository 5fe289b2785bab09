"""The parts of a Jobcast, put together: what a gateway needs, what a worker needs.

The order of the lines is the order of the start; reversed, it is the shutdown.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from jobcast.app import App
from jobcast.bus.base import TYPES, WEBHOOKS, Bus, Message
from jobcast.compose.drivers import Drivers, open_drivers
from jobcast.compose.tracing import open_tracing
from jobcast.gateway.channel_metrics import ChannelMetrics
from jobcast.gateway.hub import REPAIR_EVERY, Hub
from jobcast.gateway.queue_metrics import QueueMetrics
from jobcast.gateway.readiness import Phase
from jobcast.gateway.rooms import RENEW_EVERY, SETTLE_EVERY, Rooms
from jobcast.gateway.seats import LOOK_EVERY as SEATS_EVERY
from jobcast.gateway.seats import SharedSeats
from jobcast.gateway.state import Gateway
from jobcast.gateway.ws.registry import TICK_EVERY, Connections
from jobcast.gateway.ws.revoked import LOOK_EVERY, Revoked
from jobcast.runtime.clock import Clock, SystemClock
from jobcast.runtime.loops import Ticker
from jobcast.runtime.tracing import Tracing
from jobcast.safe_http import reach_of
from jobcast.services.accounts import Accounts
from jobcast.services.announcing import Announcer
from jobcast.services.bulk import Bulk
from jobcast.services.channels import Channels
from jobcast.services.deliverer import Deliverer
from jobcast.services.job_cache import JobCache
from jobcast.services.job_types import JobTypes
from jobcast.services.jobs import Jobs
from jobcast.services.limits import Limiter
from jobcast.services.overview import Overview
from jobcast.services.posting import Poster
from jobcast.services.queues import Queues
from jobcast.services.scheduler import Scheduler
from jobcast.services.schedules import Schedules
from jobcast.services.webhooks import Webhooks
from jobcast.settings import Settings
from jobcast.store import messages
from jobcast.store.base import Store
from jobcast.worker.attempt import Tools
from jobcast.worker.bulk import LOOK_EVERY as ERRANDS_EVERY
from jobcast.worker.bulk import Errands, with_bulk
from jobcast.worker.desk import Desk
from jobcast.worker.isolation import Isolation
from jobcast.worker.journal import Appender
from jobcast.worker.pace import Pace
from jobcast.worker.threads import Threads
from jobcast.worker.upkeep import (
    ANSWER_EVERY,
    DUE_EVERY,
    PRUNE_EVERY,
    RESCUE_EVERY,
    SCHEDULE_EVERY,
    Upkeep,
)
from jobcast.worker.worker import Worker


@dataclass(frozen=True, slots=True)
class Ground:
    """What gateways and workers both stand on."""

    settings: Settings
    clock: Clock
    drivers: Drivers
    announcer: Announcer
    types: JobTypes
    jobs: Jobs
    upkeep: Upkeep
    bulk: Bulk
    tracing: Tracing

    @property
    def store(self) -> Store:
        return self.drivers.store

    @property
    def bus(self) -> Bus:
        return self.drivers.bus


async def lay_ground(settings: Settings, stack: AsyncExitStack) -> Ground:
    """Opens the drivers and what every role needs.

    Every role looks for dead workers: when the last worker dies, gateways still see it, and a
    database that nobody looked at for long is one that was away.
    """
    clock = SystemClock()
    tracing = open_tracing(settings, stack)
    drivers = await open_drivers(settings, stack, clock=clock)
    announcer = Announcer(drivers.bus)
    stack.push_async_callback(announcer.drained)
    types = JobTypes(drivers.store, clock)
    cache = JobCache(drivers.bus)
    jobs = Jobs(drivers.store, announcer, types, settings, clock, cache, tracing)
    stack.push_async_callback(jobs.drained)
    await _listen(drivers.bus, TYPES, types.forget)
    upkeep = Upkeep(drivers.store, drivers.bus, announcer, settings, clock)
    await _tick(stack, {"rescue": (upkeep.rescue, RESCUE_EVERY)})
    bulk = Bulk(drivers.store, announcer, jobs.changes, clock)
    return Ground(settings, clock, drivers, announcer, types, jobs, upkeep, bulk, tracing)


async def build_deliverer(ground: Ground, stack: AsyncExitStack) -> Callable[[], None]:
    """Delivers webhooks here; what wakes it."""
    poster = await stack.enter_async_context(Poster(reach=reach_of(ground.settings)))
    deliverer = await stack.enter_async_context(
        Deliverer(
            ground.store,
            poster,
            clock=ground.clock,
            secrets=ground.settings.webhook_secrets,
            schedule=ground.settings.webhook_schedule,
            max_bytes=ground.settings.max_webhook_bytes,
            disable_after=ground.settings.webhook_disable_after,
            tracing=ground.tracing,
        )
    )
    await _listen(ground.bus, WEBHOOKS, deliverer.notify)
    return deliverer.notify


def wake_deliverers(ground: Ground) -> Callable[[], None]:
    """What wakes those who deliver webhooks elsewhere; they look by themselves, too."""
    under_way: set[asyncio.Task[None]] = set()

    def wake() -> None:
        task = asyncio.get_running_loop().create_task(ground.bus.publish([Message(WEBHOOKS)]))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    return wake


async def build_gateway(
    ground: Ground, stack: AsyncExitStack, *, notify: Callable[[], None]
) -> tuple[Gateway, Connections]:
    """What HTTP and sockets are served from; `notify` says that a webhook is due."""
    store, settings, clock = ground.store, ground.settings, ground.clock
    limiter = Limiter(ground.drivers.limits, settings=settings, clock=clock)
    accounts = Accounts(store, settings, clock, limiter=limiter)
    stack.push_async_callback(accounts.close)
    hub = Hub(store, ground.bus)
    stack.push_async_callback(hub.close)
    rooms = Rooms(ground.bus, clock)
    stack.push_async_callback(rooms.close)
    gateway = Gateway(
        settings=settings,
        clock=clock,
        accounts=accounts,
        limiter=limiter,
        jobs=ground.jobs,
        bulk=ground.bulk,
        types=ground.types,
        overview=Overview(store, clock),
        webhooks=Webhooks(store, visible=ground.jobs.get, clock=clock, notify=notify),
        hub=hub,
        channels=Channels(ground.bus, ground.jobs, ground.types, limiter, settings, clock),
        rooms=rooms,
        queues=Queues(store, ground.bus),
        schedules=Schedules(store, ground.types, settings, clock),
    )
    connections = Connections(gateway)
    gateway.readiness.call_on_drain(rooms.hold)
    gateway.metrics.registry.register(
        ChannelMetrics(hub=hub, rooms=rooms, channels=gateway.channels, bus=ground.bus)
    )
    queue = QueueMetrics(gateway.overview, clock)
    stack.push_async_callback(queue.close)
    gateway.metrics.registry.register(queue)
    gateway.metrics.refreshes.append(queue.refresh)
    revoked = Revoked(gateway, connections, ground.bus)
    stack.push_async_callback(revoked.close)
    _measure(gateway)

    seats = SharedSeats(gateway.seats, ground.bus, clock, limit=settings.max_connections)
    stack.push_async_callback(seats.close)
    errands = _errands(ground)
    gateway.readiness.call_on_drain(errands.stop)

    async def watch_bus() -> None:
        gateway.readiness.degraded = {ground.bus.degraded} if ground.bus.degraded else set()

    await _tick(
        stack,
        {
            "repair": (hub.repair, REPAIR_EVERY),
            "rooms": (rooms.renew, RENEW_EVERY),
            "presence": (rooms.settle, SETTLE_EVERY),
            "connections": (connections.tick, TICK_EVERY),
            "revoked": (revoked.tick, LOOK_EVERY),
            "seats": (seats.look, SEATS_EVERY),
            "bus": (watch_bus, 1.0),
            "bulk": (errands.tick, ERRANDS_EVERY),
        },
    )
    stack.callback(errands.stop)  # or its loop would end with what it runs
    return gateway, connections


def _errands(ground: Ground) -> Errands:
    """What runs bulk operations here, none of which asks for a thread, a child or a link."""
    tools = Tools(
        desk=Desk(ground.store, ground.bus, ground.jobs, ground.settings, ground.clock, str),
        appender=Appender(ground.store, ground.announcer),
        isolation=Isolation(ground.settings),
        threads=Threads(),
        settings=ground.settings,
        clock=ground.clock,
        pace=Pace(drain_grace=0.2),
    )
    return Errands(ground.bulk, ground.store, ground.bus, ground.announcer, tools)


def _measure(gateway: Gateway) -> None:
    """What is read when Prometheus asks."""
    hub, readiness = gateway.hub, gateway.readiness
    measure = gateway.metrics.measure
    measure("jobcast_ws_subscriptions", "Live subscriptions.", lambda: hub.watches)
    measure("jobcast_ws_topics", "Topics followed on the bus.", lambda: hub.topics)
    measure(
        "jobcast_draining",
        "1 while the gateway shuts down.",
        lambda: readiness.phase is Phase.DRAINING,
    )


async def build_worker(
    app: App,
    ground: Ground,
    stack: AsyncExitStack,
    *,
    queues: Sequence[str] | Mapping[str, int] | None,
    link: Callable[[str], str],
) -> Worker:
    """What runs jobs, and keeps the queue whole; it drains first of all at the end."""
    store, bus, settings, clock = ground.store, ground.bus, ground.settings, ground.clock
    isolation = await stack.enter_async_context(Isolation(settings))
    threads = Threads()
    stack.callback(threads.close)
    tools = Tools(
        desk=Desk(store, bus, ground.jobs, settings, clock, link),
        appender=Appender(store, ground.announcer),
        isolation=isolation,
        threads=threads,
        settings=settings,
        clock=clock,
        tracing=ground.tracing,
    )
    upkeep = ground.upkeep
    scheduler = Scheduler(store, ground.jobs, clock)
    await Schedules(store, ground.types, settings, clock).declare(app.schedules, by=app.name)
    await store.write(partial(messages.retire, app=app.name, kept=list(app.handlers.types)))
    await _tick(
        stack,
        {
            "due": (upkeep.make_due, DUE_EVERY),
            "prune": (upkeep.prune, PRUNE_EVERY),
            "answer": (upkeep.answer, ANSWER_EVERY),
            "schedule": (scheduler.tick, SCHEDULE_EVERY),
        },
    )
    return await stack.enter_async_context(
        Worker(
            with_bulk(app.handlers, ground.bulk),
            store,
            bus,
            ground.announcer,
            tools,
            queues=queues,
            concurrency=settings.concurrency,
        )
    )


async def _tick(
    stack: AsyncExitStack, ticks: Mapping[str, tuple[Callable[..., object], float]]
) -> None:
    for name, (tick, every) in ticks.items():
        await stack.enter_async_context(Ticker(name, tick, every=every))  # type: ignore[arg-type]


async def _listen(bus: Bus, topic: str, call: Callable[[], None]) -> None:
    await bus.subscriber(partial(_told, call)).add([topic])


def _told(call: Callable[[], None], messages: Sequence[Message]) -> None:
    call()
