import pytest
import structlog
from tests.unit.services.world import World

from jobcast.domain.access import ALL_SCOPES, ORDINARY_SCOPES, Kind, Principal, Scope, require
from jobcast.domain.errors import Forbidden, InvalidRequest, NotFound, Unauthorized
from jobcast.services.keys import NewKey
from jobcast.services.local_key import local_key
from jobcast.store import accounts as sql

MINUTE = 60


async def owner(world: World, email: str = "ada@example.com") -> Principal:
    principal, _ = await world.come_in(email)
    return principal


async def sentence(world: World, text: str) -> str:
    with pytest.raises(Unauthorized) as refused:
        await world.accounts.authenticate(key=text)
    return refused.value.message


async def row(world: World, key: NewKey) -> sql.Key:
    found = await world.database.read(lambda conn: sql.key_by_id(conn, key_id=key.id))
    assert found is not None
    return found


async def test_a_key_acts_for_its_tenant_with_its_scopes(world: World) -> None:
    ada = await owner(world)
    key = await world.accounts.keys.create(ada, scopes=frozenset({Scope.READ}), name="reader")

    principal = await world.accounts.authenticate(key=key.text)

    assert principal.tenant_id == ada.tenant_id
    assert principal.scopes == {Scope.READ}
    require(principal, Scope.READ)
    with pytest.raises(Forbidden, match=r"^This API key lacks the scope jobs:write.$"):
        require(principal, Scope.WRITE)


async def test_a_key_can_do_ordinary_things_unless_asked_otherwise(world: World) -> None:
    key = await world.accounts.keys.create(await owner(world))

    assert key.scopes == ORDINARY_SCOPES


async def test_no_list_shows_a_key_again(world: World) -> None:
    ada = await owner(world)
    key = await world.accounts.keys.create(ada, name="one")

    keys, total = await world.accounts.keys.page(ada, limit=10, offset=0)
    with world.database.engine.connect() as conn:
        rows = str(conn.exec_driver_sql("SELECT * FROM api_keys").all())

    assert total == 2
    assert key.id in [listed.id for listed in keys]
    assert key.text[21:] not in f"{keys} {rows}"


async def test_keys_are_listed_newest_first_by_pages(world: World) -> None:
    ada = await owner(world)
    made = []
    for _ in range(4):
        world.clock.advance(1)
        made.append((await world.accounts.keys.create(ada)).id)

    first, total = await world.accounts.keys.page(ada, limit=2, offset=0)
    second, _ = await world.accounts.keys.page(ada, limit=2, offset=2)

    assert total == 5
    assert [key.id for key in (*first, *second)] == made[::-1]


async def test_a_typo_is_refused_without_a_question_to_the_database(world: World) -> None:
    ada = await world.register()
    before = world.database.reads

    assert await sentence(world, ada.api_key[:-1] + "!") == "Invalid API key"
    assert await sentence(world, ada.api_key[:-1]) == "Invalid API key"
    assert world.database.reads == before


async def test_a_well_formed_key_that_was_never_made_is_refused(world: World) -> None:
    other = world.accounts.keys.draft(tenant_id="acme", scopes=ALL_SCOPES)

    assert await sentence(world, other.text) == "Invalid API key"


async def test_a_key_with_the_id_of_another_is_refused(world: World) -> None:
    real = await world.accounts.keys.issue(tenant_id="acme", scopes=ALL_SCOPES)
    await world.database.write(
        lambda conn: conn.exec_driver_sql("UPDATE api_keys SET digest = 'of another'")
    )

    assert await sentence(world, real.text) == "Invalid API key"


async def test_a_revoked_key_is_refused_at_once(world: World) -> None:
    ada = await owner(world)
    heard: list[str] = []
    world.accounts.revocations.of_keys.append(heard.append)
    key = await world.accounts.keys.create(ada)
    assert await world.accounts.authenticate(key=key.text)

    await world.accounts.keys.revoke(ada, key_id=key.id)

    assert await sentence(world, key.text) == "API key revoked"
    assert heard == [key.id]
    keys, _ = await world.accounts.keys.page(ada, limit=10, offset=0)
    assert key.id not in [listed.id for listed in keys]


async def test_another_process_notices_within_five_seconds(world: World) -> None:
    ada = await owner(world)
    key = await world.accounts.keys.create(ada)
    elsewhere = world.another_process()
    assert await elsewhere.accounts.authenticate(key=key.text)

    await world.accounts.keys.revoke(ada, key_id=key.id)
    world.clock.advance(5)

    assert await sentence(elsewhere, key.text) == "API key revoked"
    await elsewhere.close()


async def test_a_key_that_is_used_often_is_looked_up_once_in_five_seconds(world: World) -> None:
    ada = await world.register()
    await world.accounts.authenticate(key=ada.api_key)
    before = world.database.reads

    for _ in range(100):
        await world.accounts.authenticate(key=ada.api_key)
    assert world.database.reads == before
    world.clock.advance(5)
    await world.accounts.authenticate(key=ada.api_key)

    assert world.database.reads == before + 1


async def test_a_key_expires_also_while_it_is_remembered(world: World) -> None:
    ada = await owner(world)
    key = await world.accounts.keys.create(ada, expires_at=world.clock.now() + 1000)
    assert await world.accounts.authenticate(key=key.text)

    world.clock.advance(1)

    assert await sentence(world, key.text) == "API key expired"


async def test_a_key_that_has_expired_already_is_not_made(world: World) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await world.accounts.keys.create(await owner(world), expires_at=world.clock.now())

    assert refused.value.fields == {"expiresAt": ["Must be in the future"]}


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", "\x00", "\ud800"])
async def test_a_name_that_cannot_be_shown_is_refused(world: World, name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await world.accounts.keys.create(await owner(world), name=name)

    assert refused.value.fields == {"name": ["Must be 1 to 100 printable characters"]}


async def test_the_last_use_is_noted_at_most_once_a_minute(world: World) -> None:
    key = await world.accounts.keys.issue(tenant_id="acme", scopes=ALL_SCOPES)
    noted = []
    for _ in range(4):
        await world.accounts.authenticate(key=key.text)
        await world.accounts.keys.close()
        noted.append((await row(world, key)).last_used_at)
        world.clock.advance(30)

    assert noted[0] == noted[1]
    assert noted[2] == noted[3] == (noted[0] or 0) + MINUTE * 1000


async def test_a_use_that_cannot_be_noted_harms_nobody(world: World) -> None:
    key = await world.accounts.keys.issue(tenant_id="acme", scopes=ALL_SCOPES)

    with structlog.testing.capture_logs() as logs:
        await world.accounts.authenticate(key=key.text)
        world.database.broken = True
        await world.accounts.keys.close()

    assert [entry["event"] for entry in logs] == ["last use of keys not noted"]
    assert key.text not in str(logs)


async def test_a_key_without_the_admin_scope_makes_lists_and_revokes_none(world: World) -> None:
    ada = await owner(world)
    made = await world.accounts.keys.create(ada)
    weak = await world.accounts.authenticate(key=made.text)

    with pytest.raises(Forbidden):
        await world.accounts.keys.create(weak)
    with pytest.raises(Forbidden):
        await world.accounts.keys.page(weak, limit=1, offset=0)
    with pytest.raises(Forbidden):
        await world.accounts.keys.revoke(weak, key_id=made.id)


async def test_a_key_passes_on_no_more_than_it_has(world: World) -> None:
    ada = await owner(world)
    ends = world.clock.now() + 60_000
    made = await world.accounts.keys.create(
        ada, scopes=frozenset({Scope.ADMIN, Scope.READ}), rate_limit=5, expires_at=ends
    )
    principal = await world.accounts.authenticate(key=made.text)

    with pytest.raises(Forbidden, match=r"^Your credentials lack the scope channels.$"):
        await world.accounts.keys.create(principal)
    with pytest.raises(Forbidden, match="may raise the limit above 5 a minute"):
        await world.accounts.keys.create(principal, scopes=frozenset({Scope.READ}), rate_limit=6)
    child = await world.accounts.keys.create(principal, scopes=frozenset({Scope.READ}))

    assert (child.rate_limit, child.expires_at) == (5, ends)


async def test_only_a_service_key_makes_service_keys(world: World) -> None:
    ada = await owner(world)
    with pytest.raises(Forbidden, match=r"^Only a service key may make service keys.$"):
        await world.accounts.keys.create(ada, scopes=frozenset({Scope.SERVICE}))

    first = await world.accounts.keys.issue(tenant_id="acme", scopes=frozenset({Scope.SERVICE}))
    service = await world.accounts.authenticate(key=first.text)
    second = await world.accounts.keys.create(
        service, scopes=frozenset({Scope.SERVICE}), tenant_id="other", rate_limit=10**6
    )

    principal = await world.accounts.authenticate(key=second.text)
    assert service.kind is principal.kind is Kind.SERVICE
    assert (principal.tenant_id, principal.rate_limit) == ("other", 10**6)


async def test_nobody_makes_a_key_for_another_tenant(world: World) -> None:
    with pytest.raises(Forbidden, match=r"^Only service keys may act for another tenant.$"):
        await world.accounts.keys.create(await owner(world), tenant_id="other")


@pytest.mark.parametrize("key_id", ["unknown", "\x00", "\ud800", ""])
async def test_an_unknown_key_is_not_found(world: World, key_id: str) -> None:
    with pytest.raises(NotFound, match=r"^API key not found$"):
        await world.accounts.keys.revoke(await owner(world), key_id=key_id)


async def test_the_key_of_another_tenant_looks_like_none(world: World) -> None:
    ada, bob = await owner(world, "ada@example.com"), await owner(world, "bob@example.com")
    key = await world.accounts.keys.create(bob)

    with pytest.raises(NotFound, match=r"^API key not found$"):
        await world.accounts.keys.revoke(ada, key_id=key.id)

    assert await world.accounts.authenticate(key=key.text)


async def test_a_limit_of_the_key_wins_over_that_of_its_tenant(world: World) -> None:
    ada = await owner(world)
    await world.database.write(
        lambda conn: conn.exec_driver_sql("UPDATE tenants SET rate_limit = 5, key_rate_limit = 100")
    )
    plain = await world.accounts.keys.create(ada)
    own = await world.accounts.keys.create(ada, rate_limit=7)

    assert (await world.accounts.authenticate(key=plain.text)).rate_limit == 100
    assert (await world.accounts.authenticate(key=own.text)).rate_limit == 7


async def test_the_local_key_is_made_once_and_kept(world: World) -> None:
    text = await local_key(world.accounts, None)

    assert await local_key(world.accounts, text) == text
    principal = await world.accounts.authenticate(key=text)
    assert (principal.kind, principal.tenant_id) == (Kind.SERVICE, "local")


async def test_a_local_key_that_is_no_longer_good_is_made_anew(world: World) -> None:
    text = await local_key(world.accounts, None)
    service = await world.accounts.authenticate(key=text)
    ada = await world.register()

    await world.accounts.keys.revoke(service, key_id=str(service.key_id))

    for bad in (text, "garbage", ada.api_key):
        assert await local_key(world.accounts, bad) not in (text, bad)
