"""Whatever a client sends, it is the client's fault: never a 500, always the envelope.

The routes, their parameters and the fields of their bodies come from the running app's OpenAPI
document, so that new ones are tried too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import httpx2
from tests.suites.tenancy.routes import SHARED
from tests.support.whole_house import House, Person

from jobcast.gateway.http.app import HttpApp

DEEP: Final = b"[" * 50_000
NOT_OBJECTS: Final = (
    b"",
    b" ",
    b"{",
    b"{]",
    b"[]",
    b"null",
    b"true",
    b"0",
    b'""',
    b'"\\ud800"',
    b"\xff\xfe{}",
    b'{"\xed\xa0\x80":1}',
    b'{"\\u0000":1}',
    b'{"\\ud800":1}',
    b"NaN",
    b'{"a":NaN}',
    b'{"a":1}{"a":2}',
    DEEP,
    b'{"a":' * 20_000,
    b'{"a":' + b"9" * 5_000 + b"}",
    b"\x00",
    b"\xef\xbb\xbf{}",
)
"""Whole bodies."""

VALUES: Final = (
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"0",
    b"-1",
    b"1.5",
    b"9223372036854775808",
    b"123456789012345678901234567890",
    b"1e308",
    b"1e999",
    b"-0.0",
    b'""',
    b'" "',
    b'"\\u0000"',
    b'"a\\u0000b"',
    b'"\\ud800"',
    b'"a\\udfff@b.de"',
    b'"\\n"',
    b'"%s"' % (b"x" * 20_000),
    '"\U0001f642\u202ex"'.encode(),
    b'"9999-12-31T23:59:59.999Z"',
    b'"0000-00-00T00:00:00Z"',
    b'"http://[::1"',
    b'["\\u0000"]',
    b"[null]",
    b'{"\\u0000":"\\ud800"}',
)
"""Values of each field of a body."""

SEGMENTS: Final = (
    "%00",
    "a%00b",
    "%ED%A0%80",
    "%FF",
    "%0A",
    "..%2f..",
    "%F0%9F%99%82",
    "'",
    "%",
    "x" * 3_000,
)
"""What stands where an id should, in a path; the same in queries."""

QUERIES: Final = (
    *SEGMENTS,
    "",
    "-1",
    "0",
    "1.5",
    "10000000",
    "1000000000",
    "99999999999999999999999",
    "%C2%B2",
    "NaN",
)

BASES: Final[Mapping[str, Mapping[str, Any]]] = {
    "/api/auth/register": {"email": "new@example.com", "password": "correct horse"},
    "/api/auth/login": {"email": "new@example.com", "password": "correct horse"},
    "/api/auth/password": {"currentPassword": "correct horse", "newPassword": "correct horse"},
    "/api/auth/password/reset": {"token": "jp_x", "newPassword": "correct horse"},
    "/api/jobs": {"type": "work", "delayMs": 60_000},
    "/api/schedules": {"name": "hostile", "cron": "0 3 1 1 *", "type": "work"},
}
"""What a body needs so that its other fields are looked at."""


class HostileSuite:
    """Runs on a `house` whose limits are out of the way."""

    async def test_no_body_is_the_servers_fault(self, house: House) -> None:
        person = await house.person()
        faults = []
        for method, path, operation in _routes(house, person):
            if "requestBody" not in operation:
                continue
            for body in (*NOT_OBJECTS, *_bodies(house, path, operation)):
                found = await _send(house, method, path, person, body)
                faults += _faults(found, method, path, body)
        assert faults == []

    async def test_no_path_is_the_servers_fault(self, house: House) -> None:
        person = await house.person()
        faults = []
        for method, template, _ in _templates(house):
            for segment in SEGMENTS:
                path = "/".join(
                    segment if part.startswith("{") else part for part in template.split("/")
                )
                if "{" in template:
                    found = await _send(house, method, path, person, b"{}")
                    faults += _faults(found, method, path, b"")
        assert faults == []

    async def test_no_query_is_the_servers_fault(self, house: House) -> None:
        person = await house.person()
        faults = []
        for method, path, operation in _routes(house, person):
            for parameter in operation.get("parameters", ()):
                if parameter["in"] != "query" or method != "GET":
                    continue
                for value in QUERIES:
                    asked = f"{path}?{parameter['name']}={value}"
                    found = await _send(house, method, asked, person, None)
                    faults += _faults(found, method, asked, b"")
        assert faults == []


def _templates(house: House) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for template, item in cast(HttpApp, house.home.http).openapi()["paths"].items():
        for method, operation in item.items():
            if template not in SHARED:
                yield method.upper(), template, operation


def _routes(house: House, person: Person) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every route, with the tenant's own id or one that nobody has in its places."""
    for method, template, operation in _templates(house):
        path = template.replace("/tenants/{id}", f"/tenants/{person.tenant_id}")
        parts = ["nothing" if part.startswith("{") else part for part in path.split("/")]
        yield method, "/".join(parts), operation


def _bodies(house: House, path: str, operation: Mapping[str, Any]) -> Iterator[bytes]:
    """The least that the body needs, with a hostile value in each field in turn."""
    document = cast(HttpApp, house.home.http).openapi()
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    base = BASES.get(path, {})
    for field in schema.get("properties", {}):
        for value in VALUES:
            others = {name: given for name, given in base.items() if name != field}
            head = json.dumps(others)[1:-1].encode()
            yield b"{%b%b%b:%b}" % (head, b"," if head else b"", json.dumps(field).encode(), value)


async def _send(
    house: House, method: str, path: str, person: Person, body: bytes | None
) -> httpx2.Response:
    return await house(method, path, body, headers=person.bearer)


def _faults(found: httpx2.Response, method: str, path: str, body: bytes) -> list[str]:
    """What is wrong with an answer."""
    said = f"{method} {path[:80]} {body[:80]!r}: {found.status_code} {found.text[:120]}"
    if found.status_code >= 500 or found.status_code == 422:
        return [said]
    if found.status_code >= 400:
        document = found.json()
        if document.get("success") is not False or not document.get("message"):
            return [said]
    return []
