"""A Jobcast inside a user's own process, and as an ASGI app inside another."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.types import ASGIApp

from jobcast.app import App
from jobcast.compose.house import build_deliverer, build_gateway, build_worker, lay_ground
from jobcast.compose.serving import drain
from jobcast.domain.access import Kind, Principal
from jobcast.domain.job import Job
from jobcast.domain.json import dumps
from jobcast.gateway.http.app import build_app
from jobcast.gateway.root import Root
from jobcast.gateway.state import Gateway
from jobcast.gateway.ws.asgi import AsgiSockets
from jobcast.gateway.ws.registry import Connections
from jobcast.services.job_input import parse_job
from jobcast.services.local_key import TENANT
from jobcast.settings import Settings, load_settings, startable
from jobcast.worker.worker import Worker


class Running:
    """A Jobcast that runs inside this process."""

    def __init__(self, gateway: Gateway, worker: Worker, connections: Connections) -> None:
        self.gateway = gateway
        self.worker = worker
        self.connections = connections
        self.found_at = ""
        """The path below which the last request found the ASGI app of `asgi`."""
        self.http: ASGIApp = build_app(gateway)
        self.sockets: ASGIApp = AsgiSockets(gateway, connections)

    async def submit(
        self, type: str, payload: Any = None, *, tenant: str = TENANT, **options: Any
    ) -> Job:
        """Submits a job; options as in POST /jobs, in camelCase. Durable when this returns.

        `payload` is a dict, a dataclass or a pydantic model.
        """
        given = {} if payload is None else payload
        body = dumps({**options, "type": type, "payload": given}).encode()
        principal = Principal(kind=Kind.SERVICE, tenant_id=tenant)
        return (await self.gateway.jobs.submit(principal, parse_job(body))).job

    async def job(self, job_id: str) -> Job:
        """A job as it stands; raises NotFound."""
        return await self.gateway.jobs.get(Principal(kind=Kind.SERVICE, tenant_id=TENANT), job_id)


@asynccontextmanager
async def running(app: App, settings: Settings | None = None) -> AsyncIterator[Running]:
    """Everything in this process and loop: gateway services, worker, upkeep, webhooks."""
    settings = startable(settings or load_settings())
    async with AsyncExitStack() as stack:
        house = await whole_house(
            app,
            settings,
            stack,
            base=lambda: settings.public_url or (app.current.found_at if app.current else ""),
        )
        app.current = house
        stack.callback(setattr, app, "current", None)
        yield house


def asgi(app: App, settings: Settings | None = None) -> ASGIApp:
    """HTTP and WebSocket of an app that runs, or that this ASGI app's lifespan runs."""

    def current(found_at: str) -> tuple[ASGIApp, ASGIApp] | None:
        house = app.current
        if house is None:
            return None
        house.found_at = found_at
        return house.http, house.sockets

    return Root(current, lambda: running(app, settings))


async def whole_house(
    app: App, settings: Settings, stack: AsyncExitStack, *, base: Callable[[], str]
) -> Running:
    """Gateway, worker and all that keeps them, in this process; links begin with `base`."""
    ground = await lay_ground(settings, stack)
    notify = await build_deliverer(ground, stack)
    gateway, connections = await build_gateway(ground, stack, notify=notify)
    worker = await build_worker(app, ground, stack, queues=None, link=lambda path: base() + path)
    stack.callback(drain, gateway, connections)
    gateway.readiness.ready()
    return Running(gateway, worker, connections)
