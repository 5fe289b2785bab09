"""One HTTP call to the server: credentials, the envelope, bounded retries, errors as the tree.

A call is sent again when the server said that it did not take it (429, 503), when no connection
came about, and, if it is `repeatable`, also when the connection was lost before an answer.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from jobcast.client import codec
from jobcast.client.account_models import Tokens
from jobcast.client.address import Address
from jobcast.client.answering import NEVER_SENT, document, refusal, success, unreachable
from jobcast.client.backoff import Pauses
from jobcast.client.errors import (
    ClientClosed,
    InvalidRequest,
    JobcastError,
    Unauthorized,
    Unreachable,
)
from jobcast.client.models import model

CONNECT_TIMEOUT: Final = 5.0
ANSWER_TIMEOUT: Final = 30.0
"""Seconds; a long poll adds its own waiting time to the second."""

NOT_TAKEN: Final = frozenset({429, 503})
PAGE: Final = 100
"""The largest page that the server gives."""

CONNECTIONS: Final = httpx2.Limits(max_connections=100, max_keepalive_connections=100)


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: the envelope's `data` and `meta`, and the whole `document`."""

    data: Any
    meta: Mapping[str, Any]
    document: dict[str, Any]


def encode(value: Any) -> str:
    """A body as JSON text. Raises InvalidRequest for what has no JSON form."""
    try:
        return codec.dumps(value)
    except ValueError as problem:
        raise InvalidRequest(f"The request cannot be written as JSON: {problem}.") from None


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


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
            # Certificates take a tenth of a second to load: not where there is no TLS.
            verify=not (address.is_loopback and address.root.startswith("http://")),
            headers={"User-Agent": "jobcast-python"},
            limits=CONNECTIONS,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    def check_open(self) -> None:
        """Raises ClientClosed after `aclose`."""
        if self._http.is_closed:
            raise ClientClosed("This client is closed: make a new one.")

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
            self.keep(model(Tokens, success(response).get("data")))
            return True

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        wait_for_room: bool = True,
        on_wait: Callable[[], None] | None = None,
        patience: float = 0.0,
    ) -> Answer:
        """Calls `path` under `/api` and opens the envelope.

        `params` that are None are left out. `body` is `json` that is text already. `repeatable`
        defaults to whether this is a GET. With `wait_for_room` False a 429 is raised at once.
        `on_wait` is called when the call has to wait to be sent again. `patience` is added to
        the time-out, in seconds.
        """
        if json is not None:
            body = encode(json)
        response = await self._persist(
            method,
            f"{self._address.api}{path}",
            params=given(**params) if params else None,
            body=body,
            headers=headers,
            repeatable=method == "GET" if repeatable is None else repeatable,
            wait_for_room=wait_for_room,
            on_wait=on_wait,
            patience=patience,
        )
        found = success(response)
        return Answer(data=found.get("data"), meta=found.get("meta") or {}, document=found)

    async def all_pages(self, path: str, **params: Any) -> list[Any]:
        """The documents of all pages of a list, in the server's order."""
        found: list[Any] = []
        page = 1
        while True:
            answer = await self.call("GET", path, params={**params, "page": page, "limit": PAGE})
            found += answer.data or []
            if not answer.meta.get("hasNextPage"):
                return found
            page += 1

    async def content(self, path: str) -> bytes:
        """The bytes at `path` under `/api`."""
        response = await self._persist("GET", f"{self._address.api}{path}", repeatable=True)
        return response.content

    async def chunks(self, path: str) -> AsyncGenerator[bytes, None]:
        """The bytes at `path` under `/api`, piece by piece; a loss on the way is Unreachable."""
        url = f"{self._address.api}{path}"
        response = await self._persist("GET", url, repeatable=True, stream=True)
        try:
            async for chunk in response.aiter_bytes():
                yield chunk
        except httpx2.RequestError as problem:
            raise unreachable(self._address, problem) from problem
        finally:
            await response.aclose()

    async def bare(self, path: str) -> dict[str, Any]:
        """The JSON object at `path` outside `/api`, where there is no envelope."""
        return document(await self._persist("GET", f"{self._address.root}{path}", repeatable=True))

    async def _persist(
        self,
        method: str,
        url: str,
        *,
        repeatable: bool,
        wait_for_room: bool = True,
        on_wait: Callable[[], None] | None = None,
        **request: Any,
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
                if not _may_repeat(failure, repeatable=repeatable, wait_for_room=wait_for_room):
                    raise
                if on_wait is not None:
                    on_wait()
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
        stream: bool = False,
    ) -> httpx2.Response:
        """One request; answers only a success, and raises the tree's error for anything else.

        With `stream` the body of the response is still to be read, and the response to be closed.
        """
        self.check_open()
        content_type = {"Content-Type": "application/json"} if body is not None else {}
        try:
            request = self._http.build_request(
                method,
                url,
                params=params,
                content=body,
                headers={**self.credentials(), **content_type, **(headers or {})},
                timeout=httpx2.Timeout(ANSWER_TIMEOUT + patience, connect=CONNECT_TIMEOUT),
            )
            response = await self._http.send(request, stream=True)
            if not (stream and response.is_success):
                await response.aread()
        except (httpx2.RequestError, httpx2.InvalidURL) as problem:
            self.check_open()  # it was closed meanwhile
            raise unreachable(self._address, problem) from problem
        if response.is_success or response.status_code == httpx2.codes.NOT_MODIFIED:
            return response
        raise refusal(response)


def _may_repeat(failure: JobcastError, *, repeatable: bool, wait_for_room: bool) -> bool:
    if isinstance(failure, Unreachable):
        return repeatable or isinstance(failure.__cause__, NEVER_SENT)
    if failure.status == httpx2.codes.TOO_MANY_REQUESTS:
        return wait_for_room
    return failure.status in NOT_TAKEN
