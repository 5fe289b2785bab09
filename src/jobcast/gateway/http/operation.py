"""Routes that say what they are: plain Starlette routes, quick, that still stand in OpenAPI."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import GenericAlias
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

Shape = type[Any] | GenericAlias | Mapping[str, Any]
"""A type that msgspec knows, or a JSON Schema."""

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A part of the query, or a header."""

    name: str
    schema: Mapping[str, Any]
    text: str
    place: Literal["query", "header"] = "query"
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a route does, for OpenAPI.

    `data` is the shape of the envelope's `data` (a list's items where `listed`); None for null.
    Errors that follow from `body`, `credentials` and the path are added by themselves; `errors`
    names others, and `others` says of other successes when they come. `bare` answers have no
    envelope: `data` is all of them, in `media_type`. What is in `extra` is merged into the
    operation as it is.
    """

    summary: str
    tag: str
    status: int = 200
    text: str = ""
    data: Shape | None = None
    listed: bool = False
    body: Shape | None = None
    body_required: bool = True
    parameters: Sequence[Parameter] = ()
    credentials: Literal["none", "any", "watch"] = "any"
    errors: Sequence[int] = ()
    others: Mapping[int, str] = field(default_factory=dict)
    bare: bool = False
    media_type: str = "application/json"
    extra: Mapping[str, Any] = field(default_factory=dict)


class PlainRoute(Route):
    """A Starlette route without its own net under the endpoint: the frame has one around all."""

    def __init__(
        self,
        path: str,
        endpoint: Endpoint,
        *,
        methods: Sequence[str],
        include_in_schema: bool = True,
    ) -> None:
        super().__init__(path, endpoint, methods=methods, include_in_schema=include_in_schema)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            response = await endpoint(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = app


class DocumentedRoute(PlainRoute):
    """A route with its operation."""

    def __init__(self, method: str, path: str, endpoint: Endpoint, operation: Operation) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.method = method
        self.operation = operation


def route(method: str, path: str, endpoint: Endpoint, operation: Operation) -> DocumentedRoute:
    """A route for one method of one path."""
    return DocumentedRoute(method, path, endpoint, operation)


PAGE_PARAMETERS: Sequence[Parameter] = (
    Parameter(
        name="page",
        schema={"type": "integer", "minimum": 1, "default": 1},
        text="Which page, from 1.",
    ),
    Parameter(
        name="limit",
        schema={"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
        text="How many to a page.",
    ),
)
