"""`Idempotency-Key`: a submission that comes again is the same one."""

import hashlib
from typing import Final

from starlette.requests import Request

from jobcast.domain.errors import InvalidRequest
from jobcast.gateway.http.operation import Parameter
from jobcast.store.base import Idempotency

MAX_KEY: Final = 255

KEY: Final = Parameter(
    name="Idempotency-Key",
    schema={"type": "string", "maxLength": MAX_KEY},
    text="The same key and body within 24 hours is the same submission.",
    place="header",
)

REPLAYED: Final = {"Idempotency-Replayed": "true"}
"""The header of an answer that was given before."""


def idempotency_of(request: Request, data: bytes) -> Idempotency | None:
    """The key of a request with this body, None if there is none; raises InvalidRequest."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        sentence = f"Must have 1 to {MAX_KEY} printable characters"
        raise InvalidRequest("Validation error", fields={"Idempotency-Key": [sentence]})
    return Idempotency(key, hashlib.sha256(data).hexdigest())
