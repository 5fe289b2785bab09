"""`http-request`, also called `webhook`: calls a URL and reports what it answered."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

import jobcast
from jobcast.safe_http import reach_of
from jobcast.starter.fetch import Fetched, fetch, require_success

_BODY_SHOWN = 2048  # bytes of the answer that become part of the result
_TEXTUAL = ("text/", "application/json", "application/xml", "application/x-www-form-urlencoded")
_ANY_CASE = "^(?:" + "|".join(
    "".join(f"[{letter}{letter.lower()}]" for letter in method)
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
) + ")$"  # fmt: skip
_OURS = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _sendable(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"{name[:50]!r} is not a header name")
        if name.lower() in _OURS:
            raise ValueError(f"{name} is set by the client itself")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"the value of {name} must be one line of printable ASCII")
    return headers


class HttpRequest(BaseModel):
    """What to call. `body` is sent as it is when it is text, else as JSON."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [{"url": "https://example.com/hook", "method": "POST", "body": {"n": 1}}]
        },
    )

    url: str = Field(min_length=1, max_length=8192)
    method: (
        Annotated[
            Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
            BeforeValidator(_upper),
            WithJsonSchema({"type": "string", "pattern": _ANY_CASE}),
        ]
        | None
    ) = Field(default=None, description="POST for a `webhook` or with a body, else GET")
    headers: Annotated[dict[str, str], AfterValidator(_sendable)] = Field(default_factory=dict)
    body: Any = None


async def http_request(ctx: jobcast.Context, payload: HttpRequest) -> dict[str, Any]:
    """Return {"statusCode", "contentType", "body"?}: up to 2 KiB of a textual answer.

    Not 2xx fails; redirects are not followed. As a job may run more than once, every request that
    changes something carries the job's id as its `Idempotency-Key`, unless one is given.
    """
    posts = ctx.job.type == "webhook" or payload.body is not None
    method = payload.method or ("POST" if posts else "GET")
    content, headers = _content(payload.body)
    if method not in ("GET", "HEAD", "OPTIONS"):
        headers["idempotency-key"] = str(ctx.job.id)
    headers |= {name.lower(): value for name, value in payload.headers.items()}
    await ctx.log(f"{method} {payload.url}")
    answer = await fetch(
        payload.url,
        reach=reach_of(ctx.settings),
        method=method,
        headers=headers,
        content=content,
        max_bytes=_BODY_SHOWN,
        cut=True,
        deadline=45.0,
    )
    await ctx.log(
        f"answered {answer.status}", level="info" if 200 <= answer.status < 300 else "warning"
    )
    require_success(answer)
    return _result(answer)


def _content(body: object) -> tuple[bytes | None, dict[str, str]]:
    if body is None:
        return None, {}
    if isinstance(body, str):
        return body.encode("utf-8", "replace"), {"content-type": "text/plain; charset=utf-8"}
    compact = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return compact.encode("utf-8", "replace"), {"content-type": "application/json"}


def _result(answer: Fetched) -> dict[str, Any]:
    kind = answer.content_type
    result: dict[str, Any] = {"statusCode": answer.status, "contentType": kind or None}
    if answer.body and (kind.startswith(_TEXTUAL) or kind.endswith(("+json", "+xml"))):
        result["body"] = answer.text()
        result["truncated"] = answer.truncated
    return result
