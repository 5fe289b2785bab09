"""The one way this app reaches out over HTTP.

Every request of the starter app goes through `fetch`, so its limits, its verdicts on what went
wrong and the guard on addresses have a single place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

import jobcast
from jobcast.safe_http import AddressRefused, Reach, SafeTransport

USER_AGENT = "Jobcast-Starter/1.0"
MIB = 1024 * 1024

_TIMEOUT = httpx2.Timeout(15.0, connect=5.0)  # seconds, for each wait on the network
_TRANSIENT_REFUSALS = frozenset({408, 425, 429})  # RFC 9110, 8470, 6585: "come again later"
_LONGEST_WAIT = 3600.0  # seconds; a longer Retry-After is not a pause but an outage


class FetchError(Exception):
    """A request that failed in a way that may pass: worth another attempt."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: `body` is decoded (gzip undone), `truncated` says that it went on beyond it."""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes
    truncated: bool

    @property
    def content_type(self) -> str:
        """The media type, lower case and without parameters; empty where none was sent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def text(self) -> str:
        """The body as text, by the charset it came with (UTF-8 without one); never raises."""
        _, _, parameters = self.headers.get("content-type", "").partition("charset=")
        charset = parameters.partition(";")[0].strip(" \"'") or "utf-8"
        try:
            return self.body.decode(charset, "replace")
        except (LookupError, ValueError):
            return self.body.decode("utf-8", "replace")


async def fetch(
    url: str,
    *,
    reach: Reach,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    max_bytes: int,
    cut: bool = False,
    redirects: int = 0,
    deadline: float = 60.0,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> Fetched:
    """Send one request and read its answer, of any status.

    At most `max_bytes` of the body are kept: a longer one fails, or with `cut` is cut there.
    `deadline` is in seconds, for the whole exchange. Up to `redirects` redirects are followed,
    each over the same transport, which goes nowhere but where `reach` allows. Raises `jobcast.Fail`
    where another attempt can't help (an address that is none or is refused, a body too large),
    `FetchError` where it may.
    """
    target = _target(url)
    where = f"{method} {target.scheme}://{target.netloc.decode('ascii')}"  # no secrets of the path
    client = httpx2.AsyncClient(
        transport=transport or SafeTransport(reach),
        timeout=_TIMEOUT,
        trust_env=False,
        follow_redirects=redirects > 0,
        max_redirects=redirects,
        headers={"User-Agent": USER_AGENT},
    )
    try:
        async with (
            asyncio.timeout(deadline),
            client,
            client.stream(method, target, headers=headers, content=content) as response,
        ):
            body, truncated = await _read(response, max_bytes)
            if truncated and not cut:
                raise jobcast.Fail(f"{where}: the answer is larger than {max_bytes:,} bytes")
            return Fetched(
                str(response.url), response.status_code, response.headers, body, truncated
            )
    except AddressRefused as error:
        raise jobcast.Fail(f"{where}: address refused: {error}") from None
    except httpx2.TooManyRedirects:
        raise jobcast.Fail(f"{where}: more than {redirects} redirects") from None
    except (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.InvalidURL) as error:
        raise jobcast.Fail(f"{where}: {error}") from error
    except (TimeoutError, httpx2.TimeoutException) as error:
        raise FetchError(f"{where}: no answer in time") from error
    except httpx2.RequestError as error:
        raise FetchError(f"{where}: {error or type(error).__name__}") from error


def require_success(answer: Fetched) -> None:
    """Return if the status is 2xx; raise what the job should do about any other.

    408, 425, 429 and 5xx are retried, after `Retry-After` where it is given; all else fails.
    """
    if 200 <= answer.status < 300:
        return
    why = f"the server answered {answer.status}"
    if answer.status < 500 and answer.status not in _TRANSIENT_REFUSALS:
        raise jobcast.Fail(why)
    after = retry_after(answer.headers.get("retry-after"), now=datetime.now(UTC))
    if after is None:
        raise FetchError(why)
    raise jobcast.Retry(why, after=after)


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """The seconds that a `Retry-After` asks for, 0 to 3,600; None where it says nothing usable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _target(url: str) -> httpx2.URL:
    """The address without credentials in its errors; only http and https, only with a host."""
    try:
        target = httpx2.URL(url.strip())
    except (httpx2.InvalidURL, ValueError) as error:
        raise jobcast.Fail(f"not a valid URL: {error}") from None
    if target.scheme not in ("http", "https"):
        raise jobcast.Fail("only http and https URLs can be fetched")
    if not target.host:
        raise jobcast.Fail("the URL names no host")
    return target


async def _read(response: httpx2.Response, max_bytes: int) -> tuple[bytes, bool]:
    body = bytearray()
    async with aclosing(response.aiter_bytes()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > max_bytes:
                return bytes(body[:max_bytes]), True
    return bytes(body), False
