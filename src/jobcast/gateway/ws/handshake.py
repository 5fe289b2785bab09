"""What a handshake says, and who may come in: the same for every shell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from jobcast.gateway.hosts import shown
from jobcast.gateway.http.app import LOOPBACK_ORIGIN
from jobcast.runtime import audit
from jobcast.settings import Settings
from jobcast.wire.actions import Credentials
from jobcast.wire.limits import SessionLimits

PATHS: Final = ("/ws", "/")

_LOOPBACK: Final = re.compile(LOOPBACK_ORIGIN)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a handshake is answered that gets no socket, in the envelope of the API."""

    status: int
    code: str
    message: str


def refusal_of(
    settings: Settings, *, path: str, origin: str | None, address: str | None
) -> Refusal | None:
    """Why a handshake at `path`, from a page of `origin`, gets no socket; None if it gets one."""
    if path not in PATHS:
        return Refusal(404, "NOT_FOUND", "Not found. WebSockets are at /ws and /.")
    if not origin_allowed(settings, origin):
        audit.stranger("origin refused", origin=shown(origin), address=address)
        return Refusal(
            403,
            "FORBIDDEN",
            "Pages of this origin may not open a WebSocket here: see JOBCAST_ALLOWED_ORIGINS.",
        )
    return None


def session_limits(settings: Settings) -> SessionLimits:
    """The limits that the settings ask for."""
    return SessionLimits(
        max_message_bytes=settings.max_message_bytes,
        max_subscriptions=settings.max_subscriptions,
        auth_timeout=settings.ws_auth_timeout,
        heartbeat=settings.ws_heartbeat,
        heartbeat_timeout=settings.ws_heartbeat_timeout,
    )


def origin_allowed(settings: Settings, origin: str | None) -> bool:
    """Whether a page of this origin may open a socket; what is no browser sends none."""
    if origin is None:
        return True
    if settings.allowed_origins:
        return origin in settings.allowed_origins
    return settings.env != "production" and _LOOPBACK.fullmatch(origin) is not None


def credentials_of(
    query: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[Credentials | None, bool]:
    """What the handshake brings, the headers first; and whether it is a token in the address."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    key = headers.get("x-api-key", "").strip()
    if scheme.lower() == "bearer" and token.strip():
        return Credentials("token", token.strip()), False
    if key:
        return Credentials("key", key), False
    if query.get("ticket"):
        return Credentials("ticket", query["ticket"]), False
    if query.get("token"):
        return Credentials("token", query["token"]), True
    if query.get("guest"):
        return Credentials("guest", query["guest"]), False
    return None, False
