"""Who belongs to a tenant: its users, and the invites by which others join them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection

from jobcast.domain.access import Principal
from jobcast.domain.errors import InvalidOperation, InvalidRequest, NotFound
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock
from jobcast.runtime.ids import new_id
from jobcast.services.actors import actor
from jobcast.services.names import is_id, normal_email, valid_email
from jobcast.services.revocations import Revocations
from jobcast.services.tenants import UNKNOWN, check_own
from jobcast.services.tokens import new_invite, sha256
from jobcast.store import tenants as sql
from jobcast.store.base import Store
from jobcast.store.tenants import Invite, Member, Removed

T = TypeVar("T")

INVITE_SECONDS: Final = 7 * 86_400
MAX_INVITE_SECONDS: Final = 30 * 86_400
"""How long an invite lasts unless asked, and at most."""

MAX_INVITES: Final = 1_000
"""Open invites of one tenant."""

BAD_INVITE: Final = "This invite was used, taken back, or is too old"


@dataclass(frozen=True, slots=True)
class NewInvite:
    """An invite that was just made; `text` is shown once and kept nowhere."""

    invite: Invite
    text: str = field(repr=False)


class Members:
    """The use cases of members, for owners and service keys."""

    def __init__(self, store: Store, *, clock: Clock, revocations: Revocations) -> None:
        self._store = store
        self._clock = clock
        self._revocations = revocations

    async def page(
        self, principal: Principal, tenant_id: str, *, limit: int, offset: int
    ) -> tuple[Sequence[Member], int]:
        """A page of the tenant's users, oldest first, and how many there are."""
        check_own(principal, tenant_id)

        def query(conn: Connection) -> tuple[Sequence[Member], int] | None:
            if sql.tenant_by_id(conn, tenant_id=tenant_id) is None:
                return None
            return sql.members(conn, tenant_id=tenant_id, limit=limit, offset=offset)

        return _known(await self._store.read(query))

    async def remove(self, principal: Principal, tenant_id: str, user_id: str) -> None:
        """Removes a user: their logins and keys end, their sockets close, their jobs stay.

        Raises NotFound, and InvalidOperation for the last owner.
        """
        check_own(principal, tenant_id)
        now = self._clock.now()

        def change(conn: Connection) -> Removed | None:
            # The tenant's lock orders removals: two owners can't remove each other at once.
            sql.tenant_by_id(conn, tenant_id=tenant_id, lock=True)
            member = sql.member(conn, tenant_id=tenant_id, user_id=user_id)
            if member is None:
                return None
            if member.owner and sql.owners(conn, tenant_id=tenant_id) == 1:
                raise InvalidOperation("The last owner of a tenant can't be removed.")
            return sql.remove_user(conn, user_id=user_id, now=now)

        removed = await self._store.write(change) if is_id(user_id) else None
        if removed is None:
            raise NotFound("Member not found")
        for login_id in removed.login_ids:
            self._revocations.login(login_id)
        for key_id in removed.key_ids:
            self._revocations.key(key_id)
        audit.note("member removed", **actor(principal), tenant=tenant_id, removed=user_id)

    async def invite(
        self,
        principal: Principal,
        tenant_id: str,
        *,
        email: str | None = None,
        owner: bool = False,
        seconds: int = INVITE_SECONDS,
    ) -> NewInvite:
        """An invite for one person: with `email` for that address alone, with `owner` as one."""
        check_own(principal, tenant_id)
        email = None if email is None else normal_email(email)
        if email is not None and not valid_email(email):
            raise InvalidRequest("Validation error", fields={"email": ["Invalid email format"]})
        now, text = self._clock.now(), new_invite()
        invite = Invite(
            id=new_id(),
            digest=sha256(text),
            tenant_id=tenant_id,
            email=email,
            owner=owner,
            created_by=principal.user_id,
            created_at=now,
            expires_at=now + seconds * 1000,
        )

        def change(conn: Connection) -> bool:
            if sql.tenant_by_id(conn, tenant_id=tenant_id) is None:
                return False
            _, held = sql.invites_of(conn, tenant_id=tenant_id, now=now, limit=1, offset=0)
            if held >= MAX_INVITES:
                raise InvalidOperation(f"A tenant can have at most {MAX_INVITES} open invites.")
            sql.add_invite(conn, invite)
            return True

        if not await self._store.write(change):
            raise NotFound(UNKNOWN)
        audit.note(
            "invite made", **actor(principal), tenant=tenant_id, invite=invite.id, owner=owner
        )
        return NewInvite(invite, text)

    async def invites(
        self, principal: Principal, tenant_id: str, *, limit: int, offset: int
    ) -> tuple[Sequence[Invite], int]:
        """A page of the tenant's open invites, newest first, and how many there are."""
        check_own(principal, tenant_id)
        now = self._clock.now()

        def query(conn: Connection) -> tuple[Sequence[Invite], int] | None:
            if sql.tenant_by_id(conn, tenant_id=tenant_id) is None:
                return None
            return sql.invites_of(conn, tenant_id=tenant_id, now=now, limit=limit, offset=offset)

        return _known(await self._store.read(query))

    async def take_back(self, principal: Principal, tenant_id: str, invite_id: str) -> None:
        """Takes an open invite back; raises NotFound."""
        check_own(principal, tenant_id)
        if not is_id(invite_id) or not await self._store.write(
            partial(sql.remove_invite, tenant_id=tenant_id, invite_id=invite_id)
        ):
            raise NotFound("Invite not found")
        audit.note("invite taken back", **actor(principal), tenant=tenant_id, invite=invite_id)


def take_invite(conn: Connection, text: str, *, email: str, now: int) -> Invite:
    """Uses an invite up, within the caller's transaction; raises InvalidOperation."""
    invite = sql.take_invite(conn, digest=sha256(text))
    if invite is None or invite.expires_at <= now or invite.email not in (None, email):
        raise InvalidOperation(BAD_INVITE, fields={"invite": [BAD_INVITE]})
    return invite


def _known(found: T | None) -> T:
    if found is None:
        raise NotFound(UNKNOWN)
    return found
