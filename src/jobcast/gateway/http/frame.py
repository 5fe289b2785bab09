"""What stands around every request: its id, safe headers, its metrics, errors as answers."""

import re
import traceback
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from jobcast.domain.errors import JobcastError
from jobcast.gateway.http.envelope import refusal
from jobcast.gateway.http.faults import Faults
from jobcast.gateway.http.paging import MOST
from jobcast.gateway.state import Gateway
from jobcast.runtime import audit
from jobcast.runtime.ids import new_id

log: Final = structlog.get_logger("jobcast.http")

REQUEST_ID: Final = "jobcast.request_id"
"""Where a request's id stands in its scope."""

_GOOD_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"x-permitted-cross-domain-policies", b"none"),
)
_OVER_TLS: Final = (b"strict-transport-security", b"max-age=31536000")
"""In production: who has come by TLS comes by nothing else for a year."""

_UNLESS_SET: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    # Answers hold tokens, keys and other people's jobs.
    (b"cache-control", b"no-store"),
)


class Frame:
    """ASGI middleware. It answers 500 for what is nobody's refusal, and shows nothing of it."""

    def __init__(self, app: ASGIApp, gateway: Gateway, faults: Faults) -> None:
        self._app = app
        self._gateway = gateway
        self._faults = faults
        self._tells = gateway.settings.log_level == "debug"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        clock = self._gateway.clock
        began = clock.monotonic()
        request_id = _request_id(scope)
        scope[REQUEST_ID] = request_id.decode()
        tokens = bind_contextvars(request_id=scope[REQUEST_ID])
        audit.about(address=(scope.get("client") or (None,))[0])
        scope[MOST] = self._gateway.settings.max_page_size
        status, location = 0, None

        async def framed(message: Message) -> None:
            nonlocal status, location
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                there = dict(headers)
                location = there.get(b"location")
                headers += (pair for pair in _UNLESS_SET if pair[0] not in there)
                headers += _ALWAYS
                if scope["scheme"] == "https" and self._gateway.settings.env == "production":
                    headers.append(_OVER_TLS)
                headers.append((b"x-request-id", request_id))
                message["headers"] = headers
            await send(message)

        try:
            try:
                await self._app(scope, receive, framed)
            except (JobcastError, HTTPException) as refused:
                if status:
                    raise
                answer = await self._faults.answer(Request(scope), refused)
                await answer(scope, receive, framed)
        except ClientDisconnect:
            # The client hung up while it was sending: nobody is left to be answered.
            status = status or 499
        except Exception:
            # As text: a renderer that adds the frames' variables would show people's secrets.
            log.error(
                "request failed",
                exception=traceback.format_exc(),
                method=scope["method"],
                path=scope["path"],
            )
            if status:
                # Half an answer is out: the server has to cut the connection.
                raise
            response = refusal(500, "Internal server error", code="INTERNAL_ERROR")
            await response(scope, receive, framed)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            seconds = clock.monotonic() - began
            self._gateway.metrics.answered(
                method=scope["method"], route=route, status=status or 499, seconds=seconds
            )
            if self._tells:
                # A submit's answer says where its job is, so this line leads from one to the other.
                log.debug(
                    "answered",
                    method=scope["method"],
                    route=route,
                    status=status or 499,
                    ms=round(seconds * 1_000, 1),
                    location=None if location is None else location.decode("latin-1"),
                )
            reset_contextvars(**tokens)


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GOOD_ID.fullmatch(value):
            return bytes(value)
    return new_id().encode()
