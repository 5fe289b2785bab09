import pytest
from tests.unit.services.database import Database
from tests.unit.services.world import ADDRESS, PASSWORD, Visitor, World, settings

from jobcast.domain.access import ALL_SCOPES, ORDINARY_SCOPES, Kind, Principal
from jobcast.domain.errors import (
    Forbidden,
    InvalidOperation,
    InvalidRequest,
    NotFound,
    Unauthorized,
)
from jobcast.runtime.clock import FakeClock
from jobcast.services.accounts import Registered
from jobcast.services.members import BAD_INVITE

SERVICE = Principal(kind=Kind.SERVICE, tenant_id="local")


async def join(world: World, invite: str, email: str = "bob@example.com") -> Registered:
    return await world.accounts.register(
        email=email, password=PASSWORD, invite=invite, address=ADDRESS
    )


async def refused(world: World, invite: str, email: str = "bob@example.com") -> bool:
    with pytest.raises(InvalidOperation) as problem:
        await join(world, invite, email)
    return problem.value.fields == {"invite": [BAD_INVITE]}


async def emails(world: World, principal: Principal) -> list[str]:
    members, total = await world.accounts.members.page(
        principal, principal.tenant_id, limit=100, offset=0
    )
    assert total == len(members)
    return [member.email for member in members]


async def test_who_comes_with_an_invite_joins_the_tenant_as_a_member(world: World) -> None:
    ada, _ = await world.come_in()
    made = await world.accounts.members.invite(ada, ada.tenant_id)

    bob = await join(world, made.text)

    key = await world.accounts.authenticate(key=bob.api_key)
    assert bob.tenant_id == ada.tenant_id
    assert (key.tenant_id, key.user_id, key.scopes) == (ada.tenant_id, bob.id, ORDINARY_SCOPES)
    tokens = await world.login("bob@example.com")
    user = await world.accounts.authenticate(bearer=tokens.access_token)
    assert (user.owner, user.scopes) == (False, ORDINARY_SCOPES)
    assert await emails(world, ada) == ["ada@example.com", "bob@example.com"]


async def test_an_invite_may_make_an_owner(world: World) -> None:
    ada, _ = await world.come_in()
    made = await world.accounts.members.invite(ada, ada.tenant_id, owner=True)

    bob = await join(world, made.text)

    assert (await world.accounts.authenticate(key=bob.api_key)).scopes == ALL_SCOPES


async def test_an_invite_works_once(world: World) -> None:
    ada, _ = await world.come_in()
    made = await world.accounts.members.invite(ada, ada.tenant_id)
    await join(world, made.text)

    assert await refused(world, made.text, "eve@example.com")
    assert await emails(world, ada) == ["ada@example.com", "bob@example.com"]


async def test_an_invite_ends_by_itself_and_can_be_taken_back(world: World) -> None:
    ada, _ = await world.come_in()
    members = world.accounts.members
    short = await members.invite(ada, ada.tenant_id, seconds=60)
    back = await members.invite(ada, ada.tenant_id)
    await members.take_back(ada, ada.tenant_id, back.invite.id)
    world.clock.advance(60)

    assert await refused(world, short.text)
    assert await refused(world, back.text)
    assert await refused(world, "ji_nonsense")
    assert await members.invites(ada, ada.tenant_id, limit=10, offset=0) == ([], 0)
    with pytest.raises(NotFound, match="Invite not found"):
        await members.take_back(ada, ada.tenant_id, back.invite.id)


async def test_an_invite_for_an_address_is_for_that_address_alone(world: World) -> None:
    ada, _ = await world.come_in()
    made = await world.accounts.members.invite(ada, ada.tenant_id, email=" Bob@Example.com")

    assert await refused(world, made.text, "eve@example.com")
    assert (await join(world, made.text)).tenant_id == ada.tenant_id
    with pytest.raises(InvalidRequest) as problem:
        await world.accounts.members.invite(ada, ada.tenant_id, email="bob")
    assert problem.value.fields == {"email": ["Invalid email format"]}


async def test_an_address_that_is_taken_uses_no_invite_up(world: World) -> None:
    ada, _ = await world.come_in()
    made = await world.accounts.members.invite(ada, ada.tenant_id)
    with pytest.raises(InvalidOperation, match="Email already registered"):
        await join(world, made.text, "ada@example.com")

    assert (await join(world, made.text)).tenant_id == ada.tenant_id


async def test_by_invitation_only_an_invite_lets_in_and_closed_is_closed(
    database: Database, clock: FakeClock
) -> None:
    by_invite = World(database, clock, settings(registration="invite"))
    closed = World(database, clock, settings(registration="closed"))
    await by_invite.accounts.keys.issue(tenant_id="acme", scopes=ORDINARY_SCOPES)
    made = await by_invite.accounts.members.invite(SERVICE, "acme")

    with pytest.raises(Forbidden, match=r"^Registration is closed\.$"):
        await join(closed, made.text)
    assert (await join(by_invite, made.text)).tenant_id == "acme"
    await by_invite.close()
    await closed.close()


async def test_a_removed_member_is_shut_out_at_once(world: World) -> None:
    ada, _ = await world.come_in()
    made = await world.accounts.members.invite(ada, ada.tenant_id)
    bob = await join(world, made.text)
    tokens = await world.login("bob@example.com")
    await world.accounts.authenticate(key=bob.api_key)
    principal = await world.accounts.authenticate(bearer=tokens.access_token)
    ended: list[str] = []
    world.accounts.revocations.of_logins.append(ended.append)
    world.accounts.revocations.of_keys.append(ended.append)

    await world.accounts.members.remove(ada, ada.tenant_id, bob.id)

    assert principal.login_id in ended
    assert len(ended) == 2
    for credentials in ({"bearer": tokens.access_token}, {"key": bob.api_key}):
        with pytest.raises(Unauthorized):
            await world.accounts.authenticate(**credentials)
    with pytest.raises(Unauthorized, match="Invalid email or password"):
        await world.login("bob@example.com")
    assert await emails(world, ada) == ["ada@example.com"]
    with pytest.raises(NotFound, match="Member not found"):
        await world.accounts.members.remove(ada, ada.tenant_id, bob.id)


async def test_a_tenant_keeps_an_owner(world: World) -> None:
    ada, _ = await world.come_in()
    assert ada.user_id is not None
    with pytest.raises(InvalidOperation, match="The last owner"):
        await world.accounts.members.remove(ada, ada.tenant_id, ada.user_id)
    made = await world.accounts.members.invite(ada, ada.tenant_id, owner=True)
    await join(world, made.text)

    await world.accounts.members.remove(ada, ada.tenant_id, ada.user_id)


async def test_members_and_invites_of_another_tenant_are_not_found(world: World) -> None:
    ada, _ = await world.come_in()
    eve: Visitor = await world.register("eve@example.com")
    made = await world.accounts.members.invite(SERVICE, eve.tenant_id)
    members = world.accounts.members

    for tenant_id in (eve.tenant_id, "unknown", "\0"):
        for call in (
            members.page(ada, tenant_id, limit=1, offset=0),
            members.invites(ada, tenant_id, limit=1, offset=0),
            members.invite(ada, tenant_id),
            members.remove(ada, tenant_id, eve.id),
            members.take_back(ada, tenant_id, made.invite.id),
        ):
            with pytest.raises(NotFound, match="Tenant not found"):
                await call
    with pytest.raises(NotFound, match="Member not found"):
        await members.remove(ada, ada.tenant_id, eve.id)
    with pytest.raises(NotFound, match="Invite not found"):
        await members.take_back(ada, ada.tenant_id, made.invite.id)


async def test_an_invite_is_shown_once_and_in_no_repr(world: World) -> None:
    ada, _ = await world.come_in()
    made = await world.accounts.members.invite(ada, ada.tenant_id)
    [invite], _ = await world.accounts.members.invites(ada, ada.tenant_id, limit=1, offset=0)

    assert invite == made.invite
    assert made.text not in repr(made)
    assert made.text not in repr(invite)
    assert invite.digest not in repr(invite)
