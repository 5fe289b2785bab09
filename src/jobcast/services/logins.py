"""Logins: each is a family of refresh tokens, of which one is the newest, and can be revoked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from jobcast.domain.access import Kind, Principal, scopes_of_user
from jobcast.domain.errors import NotFound, Unauthorized
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock
from jobcast.runtime.ids import new_id
from jobcast.services.names import display_name, is_id
from jobcast.services.recent import Recent
from jobcast.services.tokens import RefreshTokens, SignedTokens
from jobcast.settings import Settings
from jobcast.store import accounts as users_sql
from jobcast.store import logins as sql
from jobcast.store.base import Store

TTL: Final = 2.0
"""Seconds that a login is remembered as live: so late a revocation may be noticed elsewhere."""

Login = sql.Login
"""A login as the database has it."""

INVALID: Final = "Invalid refresh token"
ENDED: Final = "This login has ended. Log in again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a login gives, and what each refresh gives anew."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Traded:
    """What became of a refresh token: its successor, or the login that its reuse has ended."""

    login: Login
    successor: str | None = field(repr=False)


class Logins:
    """The use cases of logins. `revoked` is told the id of each login that ends, after commit."""

    def __init__(
        self,
        store: Store,
        *,
        settings: Settings,
        clock: Clock,
        signed: SignedTokens,
        revoked: Callable[[str], None] = lambda login_id: None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._signed = signed
        self._refresh = RefreshTokens(settings.jwt_refresh_secrets)
        self._listener = revoked
        self._recent: Recent[Principal] = Recent(clock=clock, ttl=TTL)

    async def open(self, user_id: str, *, user_agent: str | None, address: str | None) -> Tokens:
        """A new login of this user."""
        now = self._clock.now()
        expires_at = now + self._settings.jwt_refresh_expires_in * 1000
        login_id, token = new_id(), self._refresh.new()

        def change(conn: Connection) -> None:
            sql.add_login(
                conn,
                login_id=login_id,
                user_id=user_id,
                user_agent=user_agent,
                address=address,
                expires_at=expires_at,
                now=now,
            )
            digest = self._refresh.digest(token)
            sql.add_refresh_token(
                conn, digest=digest, login_id=login_id, expires_at=expires_at, now=now
            )

        await self._store.write(change)
        return self._tokens(user_id, login_id, token)

    async def refresh(self, token: str) -> Tokens:
        """Trades a refresh token for its successor; until that is used, again for the same one.

        Reuse after that ends the login, since one of two holders has stolen it. Raises
        Unauthorized.
        """
        now = self._clock.now()
        traded = await self._store.write(lambda conn: self._trade(conn, token, now))
        if traded is None:
            raise Unauthorized(INVALID)
        if traded.successor is None:
            self._ended(traded.login.id)
            audit.refusal(
                "refresh token reused", user=traded.login.user_id, session=traded.login.id
            )
            raise Unauthorized(INVALID)
        return self._tokens(traded.login.user_id, traded.login.id, traded.successor)

    async def close(self, token: str) -> None:
        """Ends the login of a refresh token, if it hasn't ended yet; raises Unauthorized."""
        now = self._clock.now()
        digests = self._refresh.digests(token)

        def change(conn: Connection) -> str | None:
            found = sql.refresh_token(conn, digests=digests)
            if found is None:
                return None
            sql.revoke_login(conn, login_id=found.login_id, now=now)
            return found.login_id

        login_id = await self._store.write(change)
        if login_id is None:
            raise Unauthorized(INVALID)
        self._ended(login_id)
        audit.note("logout", session=login_id)

    async def live(self, *, user_id: str) -> Sequence[Login]:
        """The user's logins, last used first."""
        now = self._clock.now()
        return await self._store.read(lambda conn: sql.live_logins(conn, user_id=user_id, now=now))

    async def revoke(self, *, user_id: str, login_id: str) -> None:
        """Ends one login of the user; raises NotFound."""
        now = self._clock.now()
        done = is_id(login_id) and await self._store.write(
            lambda conn: sql.revoke_login(conn, login_id=login_id, user_id=user_id, now=now)
        )
        if not done:
            raise NotFound("Session not found")
        self._ended(login_id)
        audit.note("session revoked", user=user_id, session=login_id)

    async def revoke_others(self, *, user_id: str, but: str | None) -> int:
        """Ends all logins of the user but one; how many."""
        now = self._clock.now()
        ended = await self._store.write(
            lambda conn: sql.revoke_other_logins(conn, user_id=user_id, but=but, now=now)
        )
        self._ended(*ended)
        for login_id in ended:
            audit.note("session revoked", user=user_id, session=login_id)
        return len(ended)

    async def ended(self, login_ids: Sequence[str]) -> list[str]:
        """Which of these logins are revoked, whoever did it."""
        live = await self._store.read(lambda conn: sql.unrevoked(conn, login_ids=login_ids))
        return [login_id for login_id in login_ids if login_id not in live]

    def forget(self, login_id: str) -> None:
        """A login has ended: the next look at it is at the database."""
        self._recent.forget(login_id)

    async def principal(self, login_id: str, *, user_id: str) -> Principal:
        """Whom a live login stands for; raises Unauthorized when it has ended."""
        found = self._recent.get(login_id)
        if found is None:
            found = await self._recent.load(login_id, lambda: self._load(login_id))
        if found is None or found.user_id != user_id:
            raise Unauthorized(ENDED)
        return found

    def _trade(self, conn: Connection, token: str, now: int) -> _Traded | None:
        old = sql.refresh_token(conn, digests=self._refresh.digests(token))
        if old is None or old.expires_at <= now:
            return None
        # The login's lock orders all trades of its family; what was read before it may be stale.
        login = sql.login_by_id(conn, login_id=old.login_id, lock=True)
        old = sql.refresh_token(conn, digests=[old.digest])
        if old is None or login is None or login.revoked_at is not None:
            return None
        successor = self._refresh.successor(token, digest=old.digest)
        if old.successor is None:
            digest = self._refresh.digest(successor)
            ends = now + self._settings.jwt_refresh_expires_in * 1000
            sql.add_refresh_token(conn, digest=digest, login_id=login.id, expires_at=ends, now=now)
            sql.set_successor(conn, digest=old.digest, successor=digest)
            sql.touch_login(conn, login_id=login.id, expires_at=ends, now=now)
            return _Traded(login, successor)
        newer = sql.refresh_token(conn, digests=[old.successor])
        if newer is None or newer.successor is not None:
            sql.revoke_login(conn, login_id=login.id, now=now)
            return _Traded(login, None)
        return _Traded(login, successor)

    async def _load(self, login_id: str) -> Principal | None:
        now = self._clock.now()

        def query(conn: Connection) -> users_sql.User | None:
            login = sql.login_by_id(conn, login_id=login_id)
            if login is None or login.revoked_at is not None or login.expires_at <= now:
                return None
            return users_sql.user_by_id(conn, user_id=login.user_id)

        user = await self._store.read(query)
        return None if user is None else principal_of(user, login_id=login_id)

    def _ended(self, *login_ids: str) -> None:
        for login_id in login_ids:
            self._listener(login_id)

    def _tokens(self, user_id: str, login_id: str, refresh_token: str) -> Tokens:
        access_token = self._signed.access(
            user_id=user_id,
            login_id=login_id,
            seconds=self._settings.jwt_access_expires_in,
            now=self._clock.now(),
        )
        return Tokens(access_token=access_token, refresh_token=refresh_token)


def principal_of(user: users_sql.User, *, login_id: str) -> Principal:
    """What a user amounts to under one login: owners may administer their tenant."""
    return Principal(
        kind=Kind.USER,
        tenant_id=user.tenant_id,
        user_id=user.id,
        name=display_name(user.name, user.email),
        owner=user.owner,
        scopes=scopes_of_user(user.owner),
        rate_limit=user.rate_limit,
        login_id=login_id,
    )
