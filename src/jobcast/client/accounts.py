"""The part of the client that is about who calls: logins and API keys."""

from collections.abc import Sequence
from typing import Any, Final

from jobcast.client.models import ApiKey, Tokens, model, models
from jobcast.client.paths import segment
from jobcast.client.transport import Transport

PAGE: Final = 100
"""The largest page that the server gives."""


class Accounts:
    """Logins and API keys; `AsyncClient` is one of these."""

    _transport: Transport

    async def login(self, email: str, password: str) -> Tokens:
        """Logs in and, from now on, calls with the tokens that this gave, renewing them in time.

        Raises Unauthorized for a wrong address or password.
        """
        self._transport.keep(None)
        answer = await self._transport.call(
            "POST", "/auth/login", json={"email": email, "password": password}
        )
        tokens = model(Tokens, answer.data)
        self._transport.keep(tokens)
        return tokens

    async def logout(self) -> None:
        """Ends the login; later calls use the API key, if the client has one."""
        if self._transport.refresh_token is None:
            return
        body = {"refreshToken": self._transport.refresh_token}
        await self._transport.call("POST", "/auth/logout", json=body)
        self._transport.keep(None)

    async def me(self) -> dict[str, Any]:
        """Who the credentials belong to, as the server describes it."""
        return dict((await self._transport.call("GET", "/auth/me")).data or {})

    async def keys_create(
        self, name: str | None = None, *, scopes: Sequence[str] | None = None
    ) -> ApiKey:
        """A new API key. Its `key` is shown here and never again.

        `scopes`, like `jobs:read`, may be no wider than the caller's own; by default the key may
        do all that is about jobs and channels. Raises Forbidden for a caller that may make none.
        """
        body = {"name": name, "scopes": None if scopes is None else list(scopes)}
        given = {field: value for field, value in body.items() if value is not None}
        return model(ApiKey, (await self._transport.call("POST", "/api-keys", json=given)).data)

    async def keys_list(self) -> list[ApiKey]:
        """All API keys of this account, without their secrets, in the server's order."""
        found: list[ApiKey] = []
        page = 1
        while True:
            answer = await self._transport.call(
                "GET", "/api-keys", params={"page": page, "limit": PAGE}
            )
            found += models(ApiKey, answer.data)
            if not answer.meta.get("hasNextPage"):
                return found
            page += 1

    async def keys_revoke(self, id: str) -> None:
        """Revokes the API key with this id. Raises NotFound when there is none."""
        await self._transport.call("DELETE", f"/api-keys/{segment(id)}")
