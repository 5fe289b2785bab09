"""The part of the client that is about who calls: logins and API keys."""

from collections.abc import Sequence
from datetime import datetime

from jobcast.client.account_models import ApiKey, Identity, Tokens
from jobcast.client.models import model, models
from jobcast.client.new_job import instant
from jobcast.client.paths import segment
from jobcast.client.transport import Transport, given


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

    async def me(self) -> Identity:
        """Who the credentials belong to."""
        return model(Identity, (await self._transport.call("GET", "/auth/me")).data)

    async def keys_create(
        self,
        name: str | None = None,
        *,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        rate_limit: int | None = None,
        tenant: str | None = None,
    ) -> ApiKey:
        """A new API key. Its `key` is shown here and never again.

        `scopes`, like `jobs:read`, may be no wider than the caller's own; by default the key may
        do all that is about jobs and channels. `rate_limit` is in jobs a minute, `tenant` for
        service keys. Raises Forbidden for a caller that may make none.
        """
        body = given(
            name=name,
            scopes=None if scopes is None else list(scopes),
            expiresAt=None if expires_at is None else instant(expires_at),
            rateLimit=rate_limit,
            tenantId=tenant,
        )
        return model(ApiKey, (await self._transport.call("POST", "/api-keys", json=body)).data)

    async def keys_list(self) -> list[ApiKey]:
        """All API keys of this account, without their secrets, in the server's order."""
        return models(ApiKey, await self._transport.all_pages("/api-keys"))

    async def keys_revoke(self, id: str) -> None:
        """Revokes the API key with this id. Raises NotFound when there is none."""
        await self._transport.call("DELETE", f"/api-keys/{segment(id)}")
