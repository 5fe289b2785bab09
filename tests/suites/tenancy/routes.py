"""What the walk knows of each route: bodies and queries that name what is another's.

A route with no place for an id, a body or a query has to stand in `OWN`, with a reason in its
comment; one that is in none of the tables is unknown to the walk, and fails it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from tests.suites.tenancy.sides import Things

Route = tuple[str, str]
"""Method and template."""

Call = tuple[str, str, Any]
"""Method, path with query, body."""

Bodies = Callable[[Things], Any]

PAST: Final = "1999-01-01T00:00:00.000Z"
JOB: Final = {"type": "work", "delayMs": 3_600_000}

BODIES: Final[Mapping[Route, Bodies]] = {
    ("POST", "/api/jobs"): lambda other: [{**JOB, "tenantId": other.tenant}],
    ("POST", "/api/jobs/batch"): lambda other: [{"jobs": [{**JOB, "tenantId": other.tenant}]}],
    ("POST", "/api/jobs/bulk"): lambda other: [
        {"action": action, "filter": wanted}
        for action in ("cancel", "retry", "delete")
        for wanted in (
            {"tenantId": other.tenant},
            {"userId": other.user},
            {"tag": other.name},
            {"queue": other.name},
            {"q": other.jobs[0]},
        )
    ],
    ("POST", "/api/api-keys"): lambda other: [{"tenantId": other.tenant}],
    ("POST", "/api/schedules"): lambda other: [
        {"name": "x", "cron": "0 3 1 1 *", "type": "work", "tenantId": other.tenant}
    ],
    ("POST", "/api/tenants"): lambda other: [{"id": other.tenant}],
    ("PATCH", "/api/tenants/{id}"): lambda other: [{"name": "mine"}, {"weight": 1}],
    ("PATCH", "/api/schedules/{id}"): lambda other: [{"enabled": False}, {}],
    ("POST", "/api/channels/{name}/messages"): lambda other: [
        {"data": 1},
        {"data": 1, "tenantId": other.tenant},
    ],
    ("POST", "/api/webhooks/redeliver"): lambda other: [{"since": PAST}],
}
"""Bodies for routes whose bodies can name what is another's, or need anything at all."""

OWN: Final = {
    # About whoever asks, by secrets that only they have.
    ("POST", "/api/auth/register"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/logout"),
    ("POST", "/api/auth/password"),
    ("POST", "/api/auth/password/reset"),
    ("DELETE", "/api/auth/sessions"),
    ("POST", "/api/ws-tickets"),
    # Makes a new secret for the tenant of whoever asks, which has no name in the request.
    ("POST", "/api/webhooks/secrets"),
}

SHARED: Final = {
    # Says nothing of any tenant.
    "/health",
    "/livez",
    "/readyz",
    # Numbers of the process, without tenant labels; in production for service keys.
    "/metrics",
    "/openapi.json",
    "/asyncapi.json",
}

QUERIES: Final[Mapping[str, Callable[[Things], str]]] = {
    "tenantId": lambda other: other.tenant,
    "userId": lambda other: other.user,
    "q": lambda other: other.jobs[0],
    "cursor": lambda other: other.jobs[0],
    "tag": lambda other: other.name,
    "queue": lambda other: other.name,
    "channel": lambda other: other.name,
    "endpoint": lambda other: other.name,
}
"""Parts of queries that can name what is another's."""

HARMLESS: Final = {
    "after",
    "attempt",
    "epoch",
    "limit",
    "minutes",
    "page",
    "sort",
    "status",
    "type",
    "wait",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
}
"""Those that can't."""


def known(document: Mapping[str, Any]) -> list[tuple[Route, Mapping[str, Any]]]:
    """Every route of the document with its operation; AssertionError for one nobody knows here."""
    found = []
    for template, item in document["paths"].items():
        for method, operation in item.items():
            route = (method.upper(), template)
            if template in SHARED:
                continue
            named = "{" in template or route in BODIES or route in OWN
            assert named or method == "get", f"the walk does not know {route}: see {__name__}"
            for parameter in operation.get("parameters", ()):
                name = parameter["name"]
                assert parameter["in"] == "path" or name in HARMLESS or name in QUERIES, (
                    f"the walk does not know the parameter {name} of {route}: see {__name__}"
                )
            found.append((route, operation))
    return found


def foreign_calls(
    route: Route, operation: Mapping[str, Any], mine: Things, other: Things
) -> Iterator[Call]:
    """Every way to name what is the other's on this route."""
    method, template = route
    bodies = (
        BODIES[route](other) if route in BODIES else [{} if "requestBody" in operation else None]
    )
    for path in _paths(template, mine, other):
        for body in bodies:
            yield method, path, body
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        if parameter["in"] == "query" and name in QUERIES:
            for path in _paths(template, mine, mine, foreign=False):
                yield method, f"{path}?{name}={QUERIES[name](other)}", bodies[0]
    if "{" not in template and route in BODIES:
        for body in bodies:
            yield method, template, body


def own_paths(template: str, mine: Things) -> Iterator[str]:
    """The template with everything of one's own in its places."""
    return _paths(template, mine, mine, foreign=False)


def _paths(template: str, mine: Things, other: Things, *, foreign: bool = True) -> Iterator[str]:
    """The template with `mine` and `other` in its places; `foreign`: other in one at least."""
    parts: list[list[tuple[str, bool]]] = []
    before = ""
    for segment in template.split("/"):
        if segment.startswith("{"):
            try:
                places = [(id, False) for id in mine.of(before)]
                if foreign:
                    places += [(id, True) for id in other.of(before)]
            except KeyError:
                raise AssertionError(
                    f"the walk does not know what stands behind {before}/ in {template}"
                ) from None
            parts.append(places)
        else:
            parts.append([(segment, False)])
            before = segment
    yield from _joined(parts, foreign)


def _joined(parts: list[list[tuple[str, bool]]], foreign: bool) -> Iterator[str]:
    chosen: list[tuple[str, bool]] = [("", False)]
    for places in parts:
        chosen = [(f"{head}/{text}", was or is_) for head, was in chosen for text, is_ in places]
    for path, others in chosen:
        if others or not foreign:
            yield path.removeprefix("/")
