"""Which names a server answers to.

A page of a stranger can have its own name resolve to this machine, and its scripts then talk to a
server on it as to their own (DNS rebinding). The name stands in the Host header: in development
only names that no stranger can have are answered to, in production those listed, if any are.
"""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from jobcast.gateway.http.envelope import refusal
from jobcast.runtime import audit
from jobcast.settings import Settings

REFUSED: Final = (
    "This server does not answer to that host name: add it to JOBCAST_ALLOWED_HOSTS to allow it."
)


class Hosts:
    """The names that the settings allow."""

    def __init__(self, settings: Settings) -> None:
        self._named = set(settings.allowed_hosts)
        self._open = settings.env != "development" and not self._named
        addresses = [*settings.allowed_origins, settings.public_url or ""]
        self._named |= {urlsplit(address).hostname or "" for address in addresses} - {""}

    def allow(self, host: str | None) -> bool:
        """Whether a request with this Host header is answered. An address is nobody's name."""
        if self._open:
            return True
        name = _name_of(host or "")
        if not name:
            return False
        if name == "localhost" or name.endswith(".localhost") or name in self._named:
            return True
        try:
            ip_address(name)
        except ValueError:
            return any(name.endswith(suffix[1:]) for suffix in self._named if suffix[:2] == "*.")
        return True


class HostGuard:
    """ASGI middleware around a whole server: another name gets a 403, also for a socket."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = Hosts(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = None if scope["type"] == "lifespan" else _host_header(scope)
        if scope["type"] == "lifespan" or self._hosts.allow(host):
            await self._app(scope, receive, send)
            return
        audit.stranger("host refused", host=shown(host), address=(scope.get("client") or ("",))[0])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before accept: HTTP 403
        else:
            await refusal(403, REFUSED, code="HOST_NOT_ALLOWED")(scope, receive, send)


def shown(text: str | None) -> str | None:
    """What a stranger has sent, as a log may hold it."""
    return None if text is None else "".join(filter(str.isprintable, text))[:200]


def _host_header(scope: Scope) -> str | None:
    found = [value for name, value in scope["headers"] if name == b"host"]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _name_of(host: str) -> str:
    """The header without its port and a trailing dot, in lower case."""
    if host.startswith("["):
        return host.partition("]")[0][1:]
    return host.partition(":")[0].removesuffix(".").lower()
