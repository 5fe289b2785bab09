"""A client of the API, with the few words that its tests are told in."""

from typing import Any, Final, Self, cast

import httpx2
from starlette.types import ASGIApp
from tests.unit.services.world import ADDRESS, PASSWORD, World

from jobcast.gateway.http import auth, keys, members, system, tenants
from jobcast.gateway.http.app import HttpApp, Resource, build_app
from jobcast.gateway.state import Gateway

Document = dict[str, Any]


ABSENT: Final = cast(Any, None)
"""A service that the routes under test never ask."""


def gateway_of(world: World) -> Gateway:
    """A gateway over the accounts of a world, and nothing else."""
    return Gateway(
        settings=world.settings,
        clock=world.clock,
        accounts=world.accounts,
        limiter=world.limiter,
        jobs=ABSENT,
        bulk=ABSENT,
        types=ABSENT,
        overview=ABSENT,
        webhooks=ABSENT,
        hub=ABSENT,
        channels=ABSENT,
        rooms=ABSENT,
        queues=ABSENT,
        schedules=ABSENT,
    )


def app_over(world: World, *more: Resource) -> HttpApp:
    """The application with the routes that need no more than accounts, and these."""
    resources = (auth.routes, keys.routes, tenants.routes, members.routes, system.routes, *more)
    return build_app(gateway_of(world), resources=resources)


class Caller:
    """Calls an application without a network. An error of the application is a 500, as live."""

    def __init__(self, app: ASGIApp, *, address: str = ADDRESS) -> None:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False, client=(address, 5000))
        self._http = httpx2.AsyncClient(transport=transport, base_url="http://jobcast.test")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def __call__(
        self, method: str, path: str, body: Any = None, *, bearer: str | None = None, **more: Any
    ) -> httpx2.Response:
        headers = dict(more.pop("headers", {}))
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        if body is not None:
            more["json"] = body
        return await self._http.request(method, path, headers=headers, **more)

    async def raw(self, path: str, content: Any, **headers: str) -> httpx2.Response:
        """Posts these very bytes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._http.post(path, content=content, headers=named)

    async def come_in(self, email: str = "ada@example.com") -> Document:
        """Registers and logs in: the tokens."""
        person = {"email": email, "password": PASSWORD}
        assert (await self("POST", "/api/auth/register", person)).status_code == 201
        answer = await self("POST", "/api/auth/login", person)
        data: Document = answer.json()["data"]
        return data
