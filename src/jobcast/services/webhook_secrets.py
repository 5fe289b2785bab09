"""A tenant's own webhook secrets: read by whoever may sign for it, and rotated."""

import base64
import secrets
from collections.abc import Sequence
from typing import Final

from jobcast.domain.access import Principal, Scope, require, tenant_for
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock
from jobcast.services.actors import actor
from jobcast.services.signing import SECRET_PREFIX
from jobcast.store import webhook_secrets as sql
from jobcast.store.base import Store
from jobcast.store.webhook_secrets import Secret

__all__ = ["OVERLAP", "Secret", "WebhookSecrets"]

OVERLAP: Final = 24 * 3_600
"""Seconds that the secret before goes on signing beside the new one, unless asked otherwise."""


class WebhookSecrets:
    """The use cases. A tenant without secrets is signed for by the server's own."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def live(
        self, principal: Principal | None, *, tenant_id: str | None = None
    ) -> Sequence[Secret]:
        """What signs now, the newest first; raises Unauthorized and Forbidden."""
        tenant = tenant_for(require(principal, Scope.ADMIN), tenant_id)
        now = self._clock.now()
        found = await self._store.read(lambda conn: sql.live(conn, [tenant], now=now))
        return found.get(tenant, [])

    async def rotate(
        self,
        principal: Principal | None,
        *,
        tenant_id: str | None = None,
        overlap: int = OVERLAP,
    ) -> Sequence[Secret]:
        """Makes a new secret; the one before signs beside it for `overlap` seconds.

        Answers with what signs now, the newest first. Raises Unauthorized and Forbidden.
        """
        by = require(principal, Scope.ADMIN)
        tenant, now = tenant_for(by, tenant_id), self._clock.now()
        text = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        found = await self._store.write(
            lambda conn: sql.rotate(
                conn, tenant_id=tenant, secret=text, now=now, until=now + overlap * 1_000
            )
        )
        audit.note("webhook secret rotated", **actor(by), tenant=tenant)
        return found
