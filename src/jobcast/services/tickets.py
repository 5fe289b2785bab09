"""Tickets: a browser trades its credentials for one, which opens one socket once."""

from typing import Final

import msgspec

from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import Unauthorized
from jobcast.runtime.clock import Clock
from jobcast.services.tokens import new_ticket, sha256
from jobcast.store import logins as sql
from jobcast.store.base import Store

LIFETIME_MS: Final = 30_000
"""By the contract."""


class Tickets:
    """Makes tickets and takes them back."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._reader = msgspec.json.Decoder(Principal)

    async def issue(self, principal: Principal) -> tuple[str, int]:
        """A ticket for the principal, and when it expires."""
        if principal.kind is Kind.WATCH:
            raise Unauthorized("Access token required")
        ticket = new_ticket()
        expires_at = self._clock.now() + LIFETIME_MS
        document = msgspec.json.encode(principal).decode()
        digest = sha256(ticket)
        await self._store.write(
            lambda conn: sql.add_ticket(
                conn, digest=digest, principal=document, expires_at=expires_at
            )
        )
        return ticket, expires_at

    async def take(self, ticket: str) -> Principal:
        """Whom the ticket was made for; raises Unauthorized for one that was used or is too old."""
        digest, now = sha256(ticket), self._clock.now()
        document = await self._store.write(
            lambda conn: sql.take_ticket(conn, digest=digest, now=now)
        )
        if document is None:
            raise Unauthorized("Invalid, used or expired ticket")
        return self._reader.decode(document)
