"""The envelope around every answer of the API, as responses; its bytes are made in `wire.api`."""

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

import msgspec
from starlette.responses import Response

from jobcast.domain.errors import FieldErrors, JobcastError
from jobcast.wire import api

MEDIA_TYPE: Final = "application/json"
CHALLENGE: Final = 'Bearer realm="jobcast"'

encode: Final = msgspec.json.Encoder().encode
"""Anything that msgspec knows, as JSON."""


def success(
    message: str,
    data: Any = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    meta: api.PageMeta | None = None,
) -> Response:
    """A success. `data` is anything that msgspec encodes; `msgspec.Raw` is spliced in verbatim."""
    raw = bytes(data) if isinstance(data, msgspec.Raw) else encode(data)
    return answer(api.success(message, raw, meta=meta), status=status, headers=headers)


def failure(error: JobcastError, *, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a caller whose request failed with this error."""
    more = dict(headers or {})
    if error.retry_after is not None:
        more["Retry-After"] = str(ceil(error.retry_after))
    if error.status == 401:
        more["WWW-Authenticate"] = CHALLENGE
    return refusal(
        error.status,
        error.message,
        code=error.code,
        errors=error.fields,
        retry_after=error.retry_after,
        headers=more,
    )


def refusal(
    status: int,
    message: str,
    *,
    code: str,
    errors: FieldErrors | None = None,
    retry_after: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error that is no JobcastError, such as an unknown route."""
    body = api.failure(message, code=code, errors=errors, retry_after=retry_after)
    return answer(body, status=status, headers=headers)


def answer(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response whose body is JSON already."""
    return Response(body, status, headers, MEDIA_TYPE)
