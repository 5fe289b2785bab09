"""Forgotten passwords: a link by mail that sets a new one, once."""

import asyncio
from typing import Final

import structlog
from sqlalchemy import Connection

from jobcast.domain.errors import InvalidOperation, InvalidRequest, Unavailable
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock
from jobcast.services.limits import Limiter
from jobcast.services.logins import Logins
from jobcast.services.mail import Mailer, reset_link
from jobcast.services.names import normal_email, password_fault
from jobcast.services.passwords import Passwords
from jobcast.services.tokens import new_reset, sha256
from jobcast.settings import Settings
from jobcast.store import accounts as sql
from jobcast.store import resets
from jobcast.store.base import Store

log: Final = structlog.get_logger("jobcast.accounts")

LIFETIME_MS: Final = 3_600_000
UNDER_WAY: Final = 100
"""Requests that are looked at in the background at a time."""

BAD_TOKEN: Final = "This link was used, or is too old. Ask for another."


class Resets:
    """The use cases of forgotten passwords; `close` it when done."""

    def __init__(
        self,
        store: Store,
        *,
        settings: Settings,
        clock: Clock,
        limiter: Limiter,
        passwords: Passwords,
        logins: Logins,
        mailer: Mailer,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._limiter = limiter
        self._passwords = passwords
        self._logins = logins
        self._mailer = mailer
        self._under_way: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Returns when what was asked for is on its way."""
        await asyncio.gather(*self._under_way)

    async def request(self, *, email: str, address: str, base: str | None) -> None:
        """Mails a link to whoever has this address; says and takes the same if nobody has.

        `base` begins the link; without one the mail has the token alone. Raises InvalidOperation
        where no mail server is set, RateLimited, Unavailable.
        """
        if not self._mailer.enabled:
            raise InvalidOperation(
                "Passwords can't be reset here: no mail server is set up (SMTP_URL)."
            )
        await self._limiter.reset(address=address)
        if len(self._under_way) >= UNDER_WAY:
            raise Unavailable("Too many people ask at once. Try again in a moment.", retry_after=2)
        # Looked at behind the answer, whose time would tell whether there is such an account.
        work = self._mail(normal_email(email), base)
        task = asyncio.get_running_loop().create_task(work, name="password reset")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def confirm(self, *, token: str, password: str) -> None:
        """Sets the password of whom the token was mailed to, and ends all their logins.

        Raises InvalidRequest that names the field at fault, InvalidOperation for a token that is
        no good.
        """
        fault = password_fault(password)
        if fault is not None:
            raise InvalidRequest("Validation error", fields={"newPassword": [fault]})
        digest, now = sha256(token), self._clock.now()
        user_id = await self._store.read(lambda conn: resets.user_of(conn, digest=digest, now=now))
        if user_id is None:
            raise _bad_token()
        hashed = await self._passwords.hash(password)

        def change(conn: Connection) -> bool:
            if not resets.take(conn, digest=digest):
                return False
            return sql.set_password(conn, user_id=user_id, password=hashed)

        if not await self._store.write(change):
            raise _bad_token()
        audit.note("password reset", user=user_id)
        await self._logins.revoke_others(user_id=user_id, but=None)

    async def _mail(self, email: str, base: str | None) -> None:
        try:
            user = await self._store.read(lambda conn: sql.user_by_email(conn, email=email))
            if user is None or not await self._limiter.may_mail(user.id):
                return
            now, token = self._clock.now(), new_reset()
            digest, user_id = sha256(token), user.id
            await self._store.write(
                lambda conn: resets.add(
                    conn, digest=digest, user_id=user_id, expires_at=now + LIFETIME_MS, now=now
                )
            )
            app = self._settings.app_name
            self._mailer.post(reset_link(to=user.email, app=app, base=base, token=token))
            audit.note("password reset mailed", user=user.id, tenant=user.tenant_id)
        except Exception:
            log.exception("password reset not mailed")


def _bad_token() -> InvalidOperation:
    return InvalidOperation(BAD_TOKEN, fields={"token": [BAD_TOKEN]})
