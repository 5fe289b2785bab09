"""Credentials: from what a client shows to whom it stands for."""

from typing import Final

import msgspec

from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import Forbidden, InvalidRequest, Unauthorized
from jobcast.runtime.clock import Clock
from jobcast.services.keys import ApiKeys
from jobcast.services.logins import Logins
from jobcast.services.tickets import Tickets
from jobcast.services.tokens import REFRESH_PREFIX, TICKET_PREFIX, AccessClaims, SignedTokens

WATCH_SECONDS: Final = 15 * 60
MAX_WATCH_SECONDS: Final = 24 * 3600
"""How long a watch token lasts unless asked, and at most: by the contract."""


class Credentials:
    """Recognises every kind of credentials, and makes those that outlive no login."""

    def __init__(
        self, *, keys: ApiKeys, logins: Logins, tickets: Tickets, signed: SignedTokens, clock: Clock
    ) -> None:
        self._keys = keys
        self._logins = logins
        self._tickets = tickets
        self._signed = signed
        self._clock = clock

    async def authenticate(
        self, *, bearer: str | None = None, key: str | None = None, ticket: str | None = None
    ) -> Principal:
        """Whom these credentials stand for: the first that is given, in this order.

        `bearer` is an access token, a watch token, or an API key, as many tools send one. Raises
        Unauthorized with a sentence that says what is wrong.
        """
        if bearer is not None:
            return await self._bearer(bearer)
        if key is not None:
            return await self._keys.authenticate(key)
        if ticket is not None:
            return await self._ticket(ticket)
        raise Unauthorized("Access token required")

    async def ticket(self, principal: Principal) -> tuple[str, int]:
        """A ticket that opens one socket as this principal, and when it expires (30 s)."""
        return await self._tickets.issue(principal)

    def watch_token(
        self, *, tenant_id: str, job_id: str, seconds: int = WATCH_SECONDS
    ) -> tuple[str, int]:
        """A token that reads one job, and when it expires. The caller has checked the job.

        Raises InvalidRequest for a time that isn't from a second to a day.
        """
        if not 1 <= seconds <= MAX_WATCH_SECONDS:
            sentence = f"Must be from 1 to {MAX_WATCH_SECONDS} seconds"
            raise InvalidRequest("Validation error", fields={"expiresIn": [sentence]})
        now = self._clock.now()
        token = self._signed.watch(tenant_id=tenant_id, job_id=job_id, seconds=seconds, now=now)
        return token, (now // 1000 + seconds) * 1000

    async def _bearer(self, token: str) -> Principal:
        if token.startswith("jc_"):
            return await self._keys.authenticate(token)
        if token.startswith(REFRESH_PREFIX):
            raise Unauthorized("A refresh token is not an access token")
        if token.startswith(TICKET_PREFIX):
            raise Unauthorized("A ticket is not an access token")
        claims = self._signed.read(token, now=self._clock.now())
        if isinstance(claims, AccessClaims):
            principal = await self._logins.principal(claims.login_id, user_id=claims.user_id)
            return msgspec.structs.replace(principal, expires_at=claims.expires_at)
        return Principal(
            kind=Kind.WATCH,
            tenant_id=claims.tenant_id,
            job_id=claims.job_id,
            scopes=frozenset(),
            expires_at=claims.expires_at,
        )

    async def _ticket(self, ticket: str) -> Principal:
        principal = await self._tickets.take(ticket)
        if principal.login_id is not None and principal.user_id is not None:
            await self._logins.principal(principal.login_id, user_id=principal.user_id)
        elif principal.key_id is not None and not await self._keys.is_live(principal.key_id):
            raise Unauthorized("API key revoked")
        return principal


def user_of(principal: Principal) -> str:
    """The id of a user who has logged in; raises Forbidden for keys, which are not enough."""
    if principal.kind is Kind.WATCH:
        raise Unauthorized("Access token required")
    if principal.kind is not Kind.USER or principal.user_id is None:
        raise Forbidden("Log in to do this: an API key is not enough.")
    return principal.user_id
