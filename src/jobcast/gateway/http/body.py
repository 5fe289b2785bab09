"""Reading what a client sent: size, type and form are judged before anything else."""

from typing import Final, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from jobcast.domain.errors import InvalidJson, JobcastError, TooLarge
from jobcast.services.refusals import Quota, too_large
from jobcast.wire.decoding import decode_naming_all

T = TypeVar("T", bound=msgspec.Struct)

SMALL: Final = 16_384
"""Bytes: enough for any body that holds no payload."""


class UnsupportedMediaType(JobcastError):
    """The body is said to be something else than JSON."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


async def read_body(request: Request, *, limit: int) -> bytes:
    """The body; raises TooLarge as soon as it is known to be longer than `limit` bytes."""
    _check_type(request.headers.get("content-type"))
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > limit:
        raise _too_large(limit)
    body = b""
    receive = request.receive
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        if len(body) + len(part) > limit:
            raise _too_large(limit)
        body = body + part if body else part
        if not message.get("more_body", False):
            return body


async def read(request: Request, kind: type[T], *, limit: int = SMALL) -> T:
    """The body as a `kind`, which forbids unknown fields; no body at all is an empty object.

    Raises InvalidJson, or InvalidRequest that names every top-level field at fault.
    """
    return parse(await read_body(request, limit=limit), kind)


def parse(body: bytes, kind: type[T]) -> T:
    """As `read`, of bytes that were read already."""
    body = body or b"{}"
    try:
        return decode_naming_all(body, kind)
    except InvalidJson as problem:
        raise InvalidJson("Invalid JSON", fields={"body": [problem.message]}) from None


def _check_type(content_type: str | None) -> None:
    if content_type is None:
        return
    media = content_type.partition(";")[0].strip().lower()
    if media and media != "application/json" and not media.endswith("+json"):
        raise UnsupportedMediaType(f"Send JSON with Content-Type: application/json, not {media}.")


def _too_large(limit: int) -> TooLarge:
    return too_large(Quota.BODY, f"The body is larger than {limit} bytes.")
