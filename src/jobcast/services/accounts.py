"""Accounts: who may come in, by which credentials, and as whom."""

from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import Connection

from jobcast.domain.access import Principal, scopes_of_user
from jobcast.domain.errors import Forbidden, InvalidOperation, InvalidRequest, Unauthorized
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock
from jobcast.runtime.ids import new_id
from jobcast.services.credentials import Credentials, user_of
from jobcast.services.keys import ApiKeys, NewKey
from jobcast.services.limits import Limiter
from jobcast.services.logins import Logins, Tokens
from jobcast.services.mail import Mailer
from jobcast.services.members import Members, take_invite
from jobcast.services.names import check_registration, normal_email, password_fault
from jobcast.services.passwords import Passwords
from jobcast.services.resets import Resets
from jobcast.services.revocations import Revocations
from jobcast.services.tenants import Tenants
from jobcast.services.tickets import Tickets
from jobcast.services.tokens import SignedTokens
from jobcast.settings import Settings
from jobcast.store import accounts as sql
from jobcast.store import logins as logins_sql
from jobcast.store import resets
from jobcast.store.base import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A new user, with the first key of their tenant, which is shown once."""

    id: str
    email: str
    tenant_id: str
    created_at: int
    api_key: str = field(repr=False)


class Accounts:
    """The use cases of accounts; `close` it when done.

    `keys`, `logins`, `tenants` and `members` hold those of each, `credentials` recognises whoever
    comes with any. Listeners in `revocations` are called in this process, after the commit.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Clock,
        *,
        limiter: Limiter,
        passwords: Passwords | None = None,
        mailer: Mailer | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._limiter = limiter
        self._passwords = passwords or Passwords()
        signed = SignedTokens(settings.jwt_access_secrets)
        self.revocations: Final = Revocations()
        self.keys: Final = ApiKeys(
            store, settings=settings, clock=clock, revoked=self.revocations.key
        )
        self.logins: Final = Logins(
            store,
            settings=settings,
            clock=clock,
            signed=signed,
            revoked=self.revocations.login,
        )
        self.tenants: Final = Tenants(store, settings=settings, clock=clock)
        self.members: Final = Members(store, clock=clock, revocations=self.revocations)
        self.mailer: Final = mailer or Mailer(settings)
        self.resets: Final = Resets(
            store,
            settings=settings,
            clock=clock,
            limiter=limiter,
            passwords=self._passwords,
            logins=self.logins,
            mailer=self.mailer,
        )
        self.revocations.of_keys.append(self.keys.forget)
        self.revocations.of_logins.append(self.logins.forget)
        self.credentials: Final = Credentials(
            keys=self.keys,
            logins=self.logins,
            tickets=Tickets(store, clock=clock),
            signed=signed,
            clock=clock,
        )

    async def close(self) -> None:
        """Writes what is still to be noted, and lets the threads go."""
        await self.keys.close()
        await self.resets.close()
        await self.mailer.close()
        self._passwords.close()

    async def register(
        self,
        *,
        email: str,
        password: str,
        name: str | None = None,
        invite: str | None = None,
        address: str,
    ) -> Registered:
        """A new user and their first key: with an invite in its tenant, else in one of their own.

        Raises Forbidden where registration isn't open, InvalidRequest that names the fields at
        fault, InvalidOperation for an invite that is no good and for an e-mail address that is
        taken (an invite is then still good), RateLimited.
        """
        if self._settings.registration == "closed":
            raise Forbidden("Registration is closed.")
        if self._settings.registration == "invite" and invite is None:
            raise Forbidden("Registration is by invitation only: ask an owner for an invite.")
        email = check_registration(email=email, password=password, name=name)
        await self._limiter.registration(address=address)
        hashed = await self._passwords.hash(password)
        user_id, now = new_id(), self._clock.now()

        def change(conn: Connection) -> NewKey:
            tenant_id, owner = new_id(), True
            if invite is None:
                sql.add_tenant(conn, tenant_id=tenant_id, name=name, now=now)
            else:
                used = take_invite(conn, invite, email=email, now=now)
                tenant_id, owner = used.tenant_id, used.owner
            if not sql.add_user(
                conn,
                user_id=user_id,
                tenant_id=tenant_id,
                email=email,
                name=name,
                password=hashed,
                owner=owner,
                now=now,
            ):
                sentence = "Email already registered"
                raise InvalidOperation(sentence, fields={"email": [sentence]})
            key = self.keys.draft(
                tenant_id=tenant_id, user_id=user_id, scopes=scopes_of_user(owner), name="First key"
            )
            key.insert(conn)
            return key

        key = await self._store.write(change)
        audit.note(
            "user registered",
            user=user_id,
            tenant=key.tenant_id,
            key=key.id,
            invited=bool(invite),
        )
        return Registered(
            id=user_id, email=email, tenant_id=key.tenant_id, created_at=now, api_key=key.text
        )

    async def login(
        self, *, email: str, password: str, address: str, user_agent: str | None = None
    ) -> Tokens:
        """A new login. Raises Unauthorized, the same way for an unknown address, or RateLimited."""
        email = normal_email(email)
        async with self._limiter.attempts.attempt(account=email, address=address) as wrong:
            user, known = await self._store.read(partial(_who, email=email, address=address))
            stored = user.password if user else None
            good = await self._passwords.matches(password, stored, known=known)
            if user is None or not good:
                await wrong()
                audit.refusal(
                    "login failed",
                    user=user and user.id,
                    tenant=user and user.tenant_id,
                    address=address,
                )
                raise Unauthorized("Invalid email or password")
        if self._passwords.outdated(user.password):
            await self._set_password(user, password)
        tokens = await self.logins.open(user.id, user_agent=user_agent, address=address)
        audit.note("login", user=user.id, tenant=user.tenant_id, address=address)
        return tokens

    async def me(self, principal: Principal) -> sql.User | None:
        """The user that the principal acts as; None for a key that is nobody's."""
        user_id = principal.user_id
        if user_id is None:
            return None
        return await self._store.read(lambda conn: sql.user_by_id(conn, user_id=user_id))

    async def change_password(
        self, principal: Principal, *, current: str, new: str, address: str
    ) -> None:
        """Gives the user a new password and ends all their logins but this one.

        Raises InvalidRequest that names the field at fault, Forbidden for an API key, RateLimited.
        """
        user_id = user_of(principal)
        user = await self._store.read(lambda conn: sql.user_by_id(conn, user_id=user_id))
        if user is None:
            raise Unauthorized("Access token required")
        fault = password_fault(new)
        if fault is not None:
            raise InvalidRequest("Validation error", fields={"newPassword": [fault]})
        async with self._limiter.attempts.attempt(account=user.email, address=address) as wrong:
            if not await self._passwords.matches(current, user.password):
                await wrong()
                audit.refusal(
                    "password not changed", user=user_id, tenant=user.tenant_id, address=address
                )
                fields = {"currentPassword": ["The current password is wrong"]}
                raise InvalidRequest("Validation error", fields=fields)
        if not await self._set_password(user, new):
            raise InvalidOperation("The password was changed meanwhile. Log in again.")
        ended = await self.logins.revoke_others(user_id=user_id, but=principal.login_id)
        audit.note(
            "password changed",
            user=user_id,
            tenant=user.tenant_id,
            address=address,
            sessions_ended=ended,
        )

    async def authenticate(
        self, *, bearer: str | None = None, key: str | None = None, ticket: str | None = None
    ) -> Principal:
        """As `Credentials.authenticate`."""
        return await self.credentials.authenticate(bearer=bearer, key=key, ticket=ticket)

    async def prune(self) -> int:
        """Removes what has expired; how many rows. Called now and then."""
        now = self._clock.now()
        return await self._store.write(lambda conn: logins_sql.prune(conn, now=now))

    async def _set_password(self, user: sql.User, password: str) -> bool:
        hashed = await self._passwords.hash(password)

        def change(conn: Connection) -> bool:
            resets.drop(conn, user_id=user.id)
            return sql.set_password(conn, user_id=user.id, password=hashed, was=user.password)

        return await self._store.write(change)


def _who(conn: Connection, *, email: str, address: str) -> tuple[sql.User | None, bool]:
    """The user with an e-mail address, and whether they have a login from this network address.

    Both are asked where there is no such user, too, so that it takes as long.
    """
    user = sql.user_by_email(conn, email=email)
    user_id = "" if user is None else user.id
    return user, logins_sql.came_from(conn, user_id=user_id, address=address)
