"""How errors become answers: every one in the envelope, and a client's fault never a 500."""

from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from jobcast.domain.access import Principal
from jobcast.domain.errors import JobcastError
from jobcast.gateway.http.envelope import failure, refusal
from jobcast.gateway.state import Gateway
from jobcast.services.quota import TooManySubmissions

_SUBMITTER: Final = "jobcast.submitter"

_TEXTS: Final[Mapping[int, tuple[str, str]]] = {
    404: ("NOT_FOUND", "Not found"),
    405: ("METHOD_NOT_ALLOWED", "Method not allowed"),
}


def note_submitter(request: Request, principal: Principal) -> None:
    """From here on, an error of this request carries the submitter's rate headers."""
    request.scope[_SUBMITTER] = principal


class Faults:
    """Answers to what a request is refused for."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def answer(self, request: Request, error: JobcastError | HTTPException) -> Response:
        """A JobcastError says itself what to answer; the router knows no route or method."""
        if isinstance(error, HTTPException):
            return _unrouted(request, error)
        principal: Principal | None = request.scope.get(_SUBMITTER)
        if isinstance(error, TooManySubmissions):
            return failure(error, headers=error.quota.headers())
        if principal is not None:
            quota = await self._gateway.limiter.quota(principal)
            return failure(error, headers=quota.headers())
        return failure(error)


def _unrouted(request: Request, error: HTTPException) -> Response:
    code, message = _TEXTS.get(error.status_code, ("INVALID_REQUEST", error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request))
    return refusal(error.status_code, message, code=code, headers=headers)


def _methods(request: Request) -> list[str]:
    """All methods of this path: a name in it is meant before a place for any."""
    found: dict[str, set[str]] = {}
    for route in request.app.router.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            found.setdefault(route.path, set()).update(getattr(route, "methods", None) or ())
    closest = min(found, key=lambda path: path.count("{"), default=None)
    return [] if closest is None else sorted(found[closest])
