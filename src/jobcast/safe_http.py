"""HTTP to addresses that somebody else has named, without reaching what only this machine can.

    async with httpx2.AsyncClient(transport=SafeTransport(reach), trust_env=False) as client: …

A name is resolved once. If any of its addresses may not be reached, none is; else exactly these
addresses are connected to, while TLS and the Host header go by the name. As every request passes
here, so does every redirect. Use one for whatever a payload or a user tells your jobs to fetch.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from ipaddress import ip_address
from typing import Any, Final

import httpcore2
import httpx2

from jobcast.domain.addresses import (
    NEARBY,
    NOT_PUBLIC,
    PUBLIC,
    Address,
    Reach,
    check_target,
    literal,
    reach_for,
)
from jobcast.runtime import audit
from jobcast.settings import Settings

__all__ = ["NEARBY", "PUBLIC", "AddressRefused", "Reach", "SafeTransport", "check_url", "reach_of"]

ADDRESSES: Final = 8
"""Of one name so many are tried at most."""

RESOLVERS: Final = 64
"""Names that are looked up at the same time: slow ones take no thread from anything else."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, for a port; raises OSError when it has none."""

_resolvers = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="jobcast-resolve")


class AddressRefused(httpx2.ConnectError):
    """The address may not be connected to; its text says why, and not where it would have led."""


def reach_of(settings: Settings) -> Reach:
    """What these settings let be reached: in development this machine and its networks, too."""
    production = settings.env == "production"
    return reach_for(production=production, networks=settings.allowed_networks)


def check_url(url: httpx2.URL | str, reach: Reach) -> httpx2.URL:
    """The address, read; raises AddressRefused for one that is refused by how it is written."""
    try:
        target = httpx2.URL(url)
        check_target(
            scheme=target.scheme,
            host=target.raw_host.decode("ascii"),
            port=target.port,
            userinfo=bool(target.userinfo),
            reach=reach,
        )
    except (httpx2.InvalidURL, ValueError) as problem:
        raise AddressRefused(str(problem)) from None
    return target


class SafeTransport(httpx2.AsyncHTTPTransport):
    """httpx2's own transport over connections that `reach` allows.

    No proxy, no certificates from the environment, no HTTP/2, no retries. `resolve` and `backend`
    are for tests: the resolver, and what connects to an address.
    """

    def __init__(
        self,
        reach: Reach = PUBLIC,
        *,
        resolve: Resolve | None = None,
        backend: httpcore2.AsyncNetworkBackend | None = None,
        limits: httpx2.Limits | None = None,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        context = verify or _certificates()
        super().__init__(verify=context, trust_env=False)
        self._reach = reach
        limits = limits or httpx2.Limits(max_connections=100, max_keepalive_connections=20)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=SafeBackend(
                reach, resolve or system_resolve, backend or httpcore2.AnyIOBackend()
            ),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            check_url(request.url, self._reach)
            return await super().handle_async_request(request)
        except AddressRefused as problem:
            # Not the whole address: its path may be a secret.
            where = {"host": request.url.host[:200], "port": request.url.port}
            audit.stranger("address refused", **where, reason=str(problem))
            raise


class SafeBackend(httpcore2.AsyncNetworkBackend):
    """Connects through `inner` to addresses alone, each judged before the first is tried."""

    def __init__(
        self, reach: Reach, resolve: Resolve, inner: httpcore2.AsyncNetworkBackend
    ) -> None:
        self._reach = reach
        self._resolve = resolve
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the host; `timeout` (seconds) holds for looking it up and for all tries.

        Raises AddressRefused, and httpcore2's ConnectError and ConnectTimeout.
        """
        loop = asyncio.get_running_loop()
        over = None if timeout is None else loop.time() + timeout
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._addresses(host, port)
        except TimeoutError:
            raise httpcore2.ConnectTimeout("the name was not resolved in time") from None
        for left in range(len(addresses), 0, -1):
            # Each gets its share of the time, so that a silent one leaves some for the next.
            share = None if over is None else max(0.0, over - loop.time()) / left
            try:
                return await self._inner.connect_tcp(
                    str(addresses[-left]),
                    port,
                    timeout=share,
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if left == 1:
                    raise
        raise httpcore2.ConnectError("the name has no address")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Nobody else's address is a file of this machine."""
        raise AddressRefused(NOT_PUBLIC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> Sequence[Address]:
        try:
            spelled = literal(host)
        except ValueError as problem:
            raise AddressRefused(str(problem)) from None
        if spelled is not None:
            found = [spelled]
        else:
            try:
                texts = await self._resolve(host, port)
            except (OSError, UnicodeError) as problem:
                raise httpcore2.ConnectError("the name was not resolved") from problem
            found = [ip_address(text) for text in dict.fromkeys(texts)]
        if not all(self._reach.allows(address) for address in found):
            raise AddressRefused(NOT_PUBLIC)
        return found[:ADDRESSES]


@cache
def _certificates() -> ssl.SSLContext:
    """Made once: to load all authorities takes far longer than a request."""
    return httpx2.create_ssl_context(trust_env=False)


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """As the machine resolves names, on a thread kept for that."""
    found = await asyncio.get_running_loop().run_in_executor(
        _resolvers, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    return [str(where[0]) for *_, where in found]
