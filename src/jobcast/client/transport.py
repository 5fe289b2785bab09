"""One HTTP call to the server: credentials, the envelope, bounded retries, errors as the tree.

A call is sent again when the server said that it did not take it (429, 503), when no connection
came about, and, if it is `repeatable`, also when the connection was lost before an answer.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from jobcast.client import codec
from jobcast.client.address import Address
from jobcast.client.backoff import Pauses
from jobcast.client.errors import (
    InvalidRequest,
    JobcastError,
    ServerError,
    Unauthorized,
    Unreachable,
    for_status,
)
from jobcast.client.models import Tokens, model

CONNECT_TIMEOUT: Final = 5.0
ANSWER_TIMEOUT: Final = 30.0
"""Seconds; a long poll adds its own waiting time to the second."""

NOT_TAKEN: Final = frozenset({429, 503})
NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: the envelope's `data` and `meta`, and the whole `document`."""

    data: Any
    meta: Mapping[str, Any]
    document: dict[str, Any]


class Transport:
    """The HTTP side of one client; it owns the connections and the credentials."""

    def __init__(
        self,
        address: Address,
        *,
        key: str | None,
        token: str | None,
        pauses: Callable[[], Pauses],
    ) -> None:
        self._address = address
        self._key = key
        self._tokens: Tokens | None = None
        self._token = token
        self._refreshing = asyncio.Lock()
        self._pauses = pauses
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(ANSWER_TIMEOUT, connect=CONNECT_TIMEOUT),
            trust_env=not address.is_loopback,
            headers={"User-Agent": "jobcast-python"},
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    @property
    def access_token(self) -> str | None:
        return self._token

    @property
    def refresh_token(self) -> str | None:
        """What renews the access token; None unless the client has logged in."""
        return self._tokens.refresh_token if self._tokens else None

    def credentials(self) -> dict[str, str]:
        """The headers that say who calls: an access token if there is one, else the key."""
        if self._token is not None:
            return {"Authorization": f"Bearer {self._token}"}
        return {"X-API-Key": self._key} if self._key is not None else {}

    def keep(self, tokens: Tokens | None) -> None:
        """From now on calls with these tokens; None goes back to the key, if there is one."""
        self._tokens = tokens
        self._token = tokens.access_token if tokens else None

    async def refresh(self, stale: str | None) -> bool:
        """Replaces the access token `stale`. False when there is no login, or it has ended."""
        async with self._refreshing:
            if self._tokens is None:
                return False
            if self._token != stale:
                return True  # another task has just done it
            body = codec.dumps({"refreshToken": self._tokens.refresh_token})
            try:
                response = await self._send("POST", f"{self._address.api}/auth/refresh", body=body)
            except Unauthorized:
                return False
            self.keep(model(Tokens, _envelope(response).data))
            return True

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        patience: float = 0.0,
    ) -> Answer:
        """Calls `path` under `/api` and opens the envelope.

        `params` that are None are left out. `repeatable` defaults to whether this is a GET.
        `patience` is added to the time-out, in seconds.
        """
        try:
            body = None if json is None else codec.dumps(json)
        except ValueError as problem:
            raise InvalidRequest(f"The request cannot be written as JSON: {problem}.") from None
        response = await self._persist(
            method,
            f"{self._address.api}{path}",
            params={name: value for name, value in (params or {}).items() if value is not None},
            body=body,
            headers=headers,
            repeatable=method == "GET" if repeatable is None else repeatable,
            patience=patience,
        )
        return _envelope(response)

    async def download(self, path: str) -> bytes:
        """The bytes at `path` under `/api`."""
        response = await self._persist("GET", f"{self._address.api}{path}", repeatable=True)
        return response.content

    async def bare(self, path: str) -> dict[str, Any]:
        """The JSON object at `path` outside `/api`, where there is no envelope."""
        response = await self._persist("GET", f"{self._address.root}{path}", repeatable=True)
        return _document(response)

    async def _persist(
        self, method: str, url: str, *, repeatable: bool, **request: Any
    ) -> httpx2.Response:
        """Sends until there is an answer, the budget is used up, or trying again can't help."""
        pauses = self._pauses()
        renewed = False
        while True:
            token = self._token
            try:
                return await self._send(method, url, **request)
            except Unauthorized:
                if renewed or not await self.refresh(token):
                    raise
                renewed = True
            except JobcastError as failure:
                if not _may_repeat(failure, repeatable=repeatable):
                    raise
                if not await pauses.wait(at_least=failure.retry_after):
                    raise

    async def _send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float = 0.0,
    ) -> httpx2.Response:
        """One request; answers only a success, and raises the tree's error for anything else."""
        content_type = {"Content-Type": "application/json"} if body is not None else {}
        try:
            response = await self._http.request(
                method,
                url,
                params=params,
                content=body,
                headers={**self.credentials(), **content_type, **(headers or {})},
                timeout=httpx2.Timeout(ANSWER_TIMEOUT + patience, connect=CONNECT_TIMEOUT),
            )
        except (httpx2.RequestError, httpx2.InvalidURL) as problem:
            raise _unreachable(self._address, problem) from problem
        if response.is_success or response.status_code == httpx2.codes.NOT_MODIFIED:
            return response
        raise _refusal(response)


def _may_repeat(failure: JobcastError, *, repeatable: bool) -> bool:
    if isinstance(failure, Unreachable):
        return repeatable or isinstance(failure.__cause__, NEVER_SENT)
    return failure.status in NOT_TAKEN


def _unreachable(address: Address, problem: Exception) -> Unreachable:
    if "CERTIFICATE_VERIFY_FAILED" in str(problem):
        why = "its TLS certificate is not trusted here"
    elif isinstance(problem, NEVER_SENT):
        why = "no server answers there"
    elif isinstance(problem, httpx2.TimeoutException):
        why = "it did not answer in time"
    else:
        why = "the connection was lost before an answer came"
    return Unreachable(f"Could not reach {address.root}: {why}.")


def _document(response: httpx2.Response) -> dict[str, Any]:
    try:
        document = codec.loads(response.content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ServerError(
            f"What answers at {response.url.copy_with(query=None)} is not a Jobcast server"
            f" (status {response.status_code}).",
            code="BAD_ANSWER",
            status=response.status_code,
        )
    return document


def _envelope(response: httpx2.Response) -> Answer:
    document = _document(response)
    return Answer(data=document.get("data"), meta=document.get("meta") or {}, document=document)


def _refusal(response: httpx2.Response) -> JobcastError:
    status = response.status_code
    asked = _seconds(response.headers.get("Retry-After"))
    try:
        document = _document(response)
    except ServerError as stranger:
        stranger.retry_after = asked
        return stranger
    message = document.get("message")
    return for_status(status)(
        message if isinstance(message, str) else f"The server answered with status {status}.",
        code=document.get("code"),
        status=status,
        errors=document.get("errors"),
        retry_after=asked if asked is not None else _seconds(document.get("retryAfter")),
    )


def _seconds(value: Any) -> float | None:
    """Seconds as a number or its text; the date form of Retry-After counts as unknown."""
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return None
