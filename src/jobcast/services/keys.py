"""API keys: made, shown once, verified at every request, revoked."""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from jobcast.domain.access import ORDINARY_SCOPES, Kind, Principal, Scope, require, tenant_for
from jobcast.domain.errors import Forbidden, InvalidRequest, NotFound, Unauthorized
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock
from jobcast.services.actors import actor
from jobcast.services.key_text import hint_of, key_id_of, new_key
from jobcast.services.key_usage import KeyUsage
from jobcast.services.names import LABEL_SENTENCE, display_name, is_id, is_label
from jobcast.services.recent import Recent
from jobcast.services.tokens import sha256
from jobcast.settings import Settings
from jobcast.store import accounts as sql
from jobcast.store.base import Store
from jobcast.store.tenants import tenant_by_id

TTL: Final = 5.0
"""Seconds that a verified key is remembered: so long another process may not know it is revoked."""

INVALID: Final = "Invalid API key"

Key = sql.Key
"""A key as the database has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made; `text` is shown once and kept nowhere."""

    id: str
    tenant_id: str
    user_id: str | None
    name: str | None
    hint: str
    scopes: frozenset[Scope]
    rate_limit: int | None
    expires_at: int | None
    created_at: int
    text: str = field(repr=False)

    def insert(self, conn: Connection) -> None:
        """Enters it, within the caller's transaction."""
        sql.add_key(
            conn,
            key_id=self.id,
            tenant_id=self.tenant_id,
            user_id=self.user_id,
            name=self.name,
            digest=sha256(self.text),
            hint=self.hint,
            scopes=" ".join(sorted(self.scopes)),
            rate_limit=self.rate_limit,
            expires_at=self.expires_at,
            now=self.created_at,
        )


class ApiKeys:
    """The use cases of keys; `close` it when done."""

    def __init__(
        self,
        store: Store,
        *,
        settings: Settings,
        clock: Clock,
        revoked: Callable[[str], None] = lambda key_id: None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._revoked = revoked
        self._recent: Recent[Principal] = Recent(clock=clock, ttl=TTL)
        self._usage = KeyUsage(store, clock=clock)

    async def close(self) -> None:
        """Writes what is still to be noted."""
        await self._usage.close()

    def draft(
        self,
        *,
        tenant_id: str,
        scopes: frozenset[Scope],
        user_id: str | None = None,
        name: str | None = None,
        rate_limit: int | None = None,
        expires_at: int | None = None,
    ) -> NewKey:
        """A new key that is not entered yet. Asks nobody's leave."""
        key_id, text = new_key(self._settings.env)
        return NewKey(
            id=key_id,
            tenant_id=tenant_id,
            user_id=user_id,
            name=name,
            hint=hint_of(text),
            scopes=scopes,
            rate_limit=rate_limit,
            expires_at=expires_at,
            created_at=self._clock.now(),
            text=text,
        )

    async def issue(
        self, *, tenant_id: str, scopes: frozenset[Scope], name: str | None = None
    ) -> NewKey:
        """Makes a key for a tenant, which is made too if it is new. Asks nobody's leave."""
        key = self.draft(tenant_id=tenant_id, scopes=scopes, name=name)
        await self._enter(key)
        audit.note("key issued", made=key.id, tenant=tenant_id, scopes=sorted(map(str, scopes)))
        return key

    async def create(
        self,
        principal: Principal,
        *,
        name: str | None = None,
        scopes: frozenset[Scope] | None = None,
        expires_at: int | None = None,
        rate_limit: int | None = None,
        tenant_id: str | None = None,
    ) -> NewKey:
        """Makes a key for the principal's tenant, or, for a service key, for any.

        It can do no more, and lasts no longer, than a key that makes it: raises Forbidden for a
        scope that the principal lacks, and for a limit above the usual one.
        """
        require(principal, Scope.ADMIN)
        scopes = ORDINARY_SCOPES if scopes is None else scopes
        service = principal.kind is Kind.SERVICE
        if Scope.SERVICE in scopes and not service:
            raise Forbidden("Only a service key may make service keys.")
        lacking = scopes - principal.scopes
        if lacking and not service:
            raise Forbidden(f"Your credentials lack the scope {min(lacking)}.")
        usual = await self._usual_limit(principal)
        if rate_limit is not None and rate_limit > usual and not service:
            raise Forbidden(f"Only a service key may raise the limit above {usual} a minute.")
        if expires_at is not None and expires_at <= self._clock.now():
            raise InvalidRequest(
                "Validation error", fields={"expiresAt": ["Must be in the future"]}
            )
        if name is not None and not is_label(name):
            raise InvalidRequest("Validation error", fields={"name": [LABEL_SENTENCE]})
        if principal.kind is Kind.KEY:
            rate_limit = rate_limit or principal.rate_limit
            ends = [end for end in (expires_at, principal.expires_at) if end is not None]
            expires_at = min(ends, default=None)
        key = self.draft(
            tenant_id=tenant_for(principal, tenant_id),
            scopes=scopes,
            user_id=principal.user_id,
            name=name,
            rate_limit=rate_limit,
            expires_at=expires_at,
        )
        await self._enter(key)
        audit.note(
            "key made",
            **actor(principal),
            made=key.id,
            tenant=key.tenant_id,
            scopes=sorted(map(str, key.scopes)),
            expires_at=key.expires_at,
        )
        return key

    async def page(
        self, principal: Principal, *, limit: int, offset: int
    ) -> tuple[Sequence[Key], int]:
        """The unrevoked keys of the principal's tenant, newest first, and how many there are."""
        require(principal, Scope.ADMIN)
        tenant_id = principal.tenant_id
        return await self._store.read(
            lambda conn: sql.keys_of(conn, tenant_id=tenant_id, limit=limit, offset=offset)
        )

    async def revoke(self, principal: Principal, *, key_id: str) -> None:
        """Revokes a key of the principal's tenant (a service key: of any); raises NotFound."""
        require(principal, Scope.ADMIN)
        now = self._clock.now()
        if not is_id(key_id):
            raise NotFound("API key not found")

        def change(conn: Connection) -> Key | None:
            key = sql.key_by_id(conn, key_id=key_id)
            if key is None:
                return None
            tenant_id = key.tenant_id if principal.kind is Kind.SERVICE else principal.tenant_id
            done = sql.revoke_key(conn, tenant_id=tenant_id, key_id=key_id, now=now)
            return key if done else None

        key = await self._store.write(change)
        if key is None:
            raise NotFound("API key not found")
        self._revoked(key_id)
        audit.note("key revoked", **actor(principal), revoked=key_id, tenant=key.tenant_id)

    def forget(self, key_id: str) -> None:
        """A key has ended: the next look at it is at the database."""
        self._recent.forget_where(lambda principal: principal.key_id == key_id)

    async def authenticate(self, text: str) -> Principal:
        """Whom the key stands for; raises Unauthorized."""
        digest = sha256(text)
        principal = self._recent.get(digest)
        if principal is None:
            key_id = key_id_of(text)
            if key_id is None:
                raise Unauthorized(INVALID)
            principal = await self._recent.load(digest, lambda: self._load(key_id, digest))
        if principal is None:
            raise Unauthorized(INVALID)
        if principal.expires_at is not None and principal.expires_at <= self._clock.now():
            raise Unauthorized("API key expired")
        return principal

    async def ended(self, key_ids: Sequence[str]) -> list[str]:
        """Which of these keys are revoked, whoever did it."""
        live = await self._store.read(lambda conn: sql.unrevoked_keys(conn, key_ids=key_ids))
        return [key_id for key_id in key_ids if key_id not in live]

    async def is_live(self, key_id: str) -> bool:
        """Whether a key is there, unrevoked and unexpired."""
        key = await self._store.read(lambda conn: sql.key_by_id(conn, key_id=key_id))
        if key is None or key.revoked_at is not None:
            return False
        return key.expires_at is None or key.expires_at > self._clock.now()

    async def _usual_limit(self, principal: Principal) -> int:
        """What a key of theirs gets unless it has a limit of its own."""
        own = principal.rate_limit
        if principal.kind is Kind.USER:  # theirs is a user's limit
            tenant_id = principal.tenant_id
            tenant = await self._store.read(lambda conn: tenant_by_id(conn, tenant_id=tenant_id))
            own = None if tenant is None else tenant.key_rate_limit
        return own or self._settings.key_rate_limit

    async def _load(self, key_id: str, digest: str) -> Principal | None:
        key = await self._store.read(lambda conn: sql.key_by_id(conn, key_id=key_id))
        if key is None or not hmac.compare_digest(key.digest, digest):
            return None
        if key.revoked_at is not None:
            raise Unauthorized("API key revoked")
        self._usage.used(key)
        return principal_of(key)

    async def _enter(self, key: NewKey) -> None:
        def change(conn: Connection) -> None:
            sql.add_tenant(conn, tenant_id=key.tenant_id, name=None, now=key.created_at)
            key.insert(conn)

        await self._store.write(change)


def scopes_of(key: Key) -> frozenset[Scope]:
    """The scopes of a key, as far as this version knows them."""
    return frozenset(scope for scope in Scope if scope in key.scopes.split())


def principal_of(key: Key) -> Principal:
    """What a key amounts to."""
    scopes = scopes_of(key)
    named = key.user_email is not None
    return Principal(
        kind=Kind.SERVICE if Scope.SERVICE in scopes else Kind.KEY,
        tenant_id=key.tenant_id,
        user_id=key.user_id,
        name=display_name(key.user_name, key.user_email) if named else key.name,
        scopes=scopes,
        key_id=key.id,
        rate_limit=key.rate_limit or key.tenant_rate_limit,
        expires_at=key.expires_at,
    )
