"""One webhook request over HTTP: an attempt goes out, and its answer or its failure comes back."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Final

import httpx2
import msgspec

from jobcast.domain.webhook import Answer
from jobcast.safe_http import PUBLIC, AddressRefused, Reach, SafeTransport

USER_AGENT: Final = "Jobcast-Webhook/1.0"

CONNECT_TIMEOUT: Final = 5.0
TOTAL_TIMEOUT: Final = 15.0
"""Seconds to connect, and for the whole exchange, as contract and issue 4 say."""

READ_LIMIT: Final = 64 * 1024
"""Bytes of an answer that are read to keep its connection; beyond, it is closed."""

KEPT: Final = 2 * 1024
"""Bytes of an answer that its log keeps."""

REASON_LIMIT: Final = 200

_UNREACHABLE: Final = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


class Poster(AbstractAsyncContextManager["Poster"]):
    """Posts webhooks; a context manager that holds the connections.

    No redirects, no proxy and no credentials from the environment, no cookies, and no address that
    `reach` does not allow. `transport` is the one way out to the network: a SafeTransport unless a
    test gives another. Time-outs are in seconds.
    """

    def __init__(
        self,
        *,
        reach: Reach = PUBLIC,
        transport: httpx2.AsyncBaseTransport | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        total_timeout: float = TOTAL_TIMEOUT,
    ) -> None:
        self._connect = connect_timeout
        self._total = total_timeout
        self._client = httpx2.AsyncClient(
            transport=transport or SafeTransport(reach),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(total_timeout, connect=connect_timeout),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={
                "User-Agent": USER_AGENT,
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",  # nothing is unpacked here
            },
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def __call__(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Posts `body` and answers with what came of it; never raises for the receiver's part.

        Once the status has arrived it is the answer, whatever becomes of the rest.
        """
        answer: Answer | None = None
        try:
            async with (
                asyncio.timeout(self._total),
                self._client.stream("POST", url, content=body, headers=headers) as response,
            ):
                answer = _answer(response)
                answer = msgspec.structs.replace(answer, body=await _skim(response))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ssl.SSLError) as problem:
            return answer or Answer(None, self._cause(problem))
        return answer

    def _cause(self, problem: BaseException) -> str:
        if isinstance(problem, httpx2.ConnectTimeout):
            return f"no connection within {self._connect:g} s"
        if isinstance(problem, TimeoutError | httpx2.TimeoutException):
            return f"timed out after {self._total:g} s"
        if isinstance(problem, AddressRefused):
            return f"address refused: {problem}"
        if isinstance(problem, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
            return "not a valid http or https address"
        for deeper in _chain(problem):
            cause = _network_cause(deeper)
            if cause is not None:
                return cause
        if isinstance(problem, httpx2.RemoteProtocolError):
            return "no valid HTTP answer"
        return _clean(str(problem)) or "connection failed"


def _answer(response: httpx2.Response) -> Answer:
    if response.is_success:
        return Answer(response.status_code)
    reason = _clean(response.reason_phrase) or f"HTTP {response.status_code}"
    return Answer(response.status_code, reason, response.headers.get("retry-after"))


async def _skim(response: httpx2.Response) -> str | None:
    """Reads the answer up to its limit; the beginning of it as text, None where there is none."""
    seen, kept = 0, b""
    try:
        async with aclosing(response.aiter_raw()) as pieces:
            async for piece in pieces:
                seen += len(piece)
                kept += piece[: KEPT - len(kept)]
                if seen > READ_LIMIT:
                    break
    except (httpx2.HTTPError, OSError):
        pass  # the status has arrived, and is the answer
    if response.headers.get("content-encoding", "identity") != "identity":
        return None
    # PostgreSQL keeps no NUL; half a character at the cut is left out.
    return kept.decode("utf-8", "replace").rstrip("\ufffd").replace("\0", "\ufffd") or None


def _chain(problem: BaseException) -> Iterator[BaseException]:
    """The problem and all that it came from, groups opened."""
    found: BaseException | None = problem
    while found is not None:
        yield found
        if isinstance(found, BaseExceptionGroup):
            for inner in found.exceptions:
                yield from _chain(inner)
        found = found.__cause__ or found.__context__


def _network_cause(problem: BaseException) -> str | None:
    match problem:
        case socket.gaierror():
            return "name not resolved"
        case ConnectionRefusedError():
            return "connection refused"
        case ConnectionResetError() | BrokenPipeError():
            return "connection reset"
        case ssl.SSLCertVerificationError():
            return "certificate not valid"
        case ssl.SSLError():
            return "TLS handshake failed"
        case OSError() if problem.errno in _UNREACHABLE:
            return "host unreachable"
        case _:
            return None


def _clean(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:REASON_LIMIT].strip()
