from typing import Any

import pytest
from tests.unit.services.world import World

from jobcast.domain.access import ORDINARY_SCOPES, Kind, Principal
from jobcast.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound
from jobcast.services.tenants import NewTenant, TenantChange
from jobcast.store.tenants import Tenant

SERVICE = Principal(kind=Kind.SERVICE, tenant_id="local")


async def owner(world: World) -> Principal:
    principal, _ = await world.come_in()
    return principal


def limits(tenant: Tenant) -> dict[str, Any]:
    return {
        "weight": tenant.weight,
        "rate_limit": tenant.rate_limit,
        "key_rate_limit": tenant.key_rate_limit,
        "max_running": tenant.max_running,
        "max_waiting": tenant.max_waiting,
    }


USUAL = {
    "weight": 1,
    "rate_limit": None,
    "key_rate_limit": None,
    "max_running": None,
    "max_waiting": None,
}


async def test_a_service_key_makes_changes_and_lists_any_tenant(world: World) -> None:
    tenants = world.accounts.tenants

    made = await tenants.create(SERVICE, NewTenant(id="acme", name="Acme", weight=5))
    changed = await tenants.change(
        SERVICE, "acme", TenantChange(rate_limit=500, max_running=7, max_waiting=9, weight=2)
    )
    unnamed = await tenants.create(SERVICE, NewTenant())

    assert (made.name, limits(made)) == ("Acme", {**USUAL, "weight": 5})
    assert changed.name == "Acme"
    assert limits(changed) == {
        "weight": 2,
        "rate_limit": 500,
        "key_rate_limit": None,
        "max_running": 7,
        "max_waiting": 9,
    }
    assert (await tenants.page(SERVICE, limit=10, offset=0))[1] == 2
    assert await tenants.get(SERVICE, unnamed.id) == unnamed
    with pytest.raises(Conflict, match="A tenant acme exists already"):
        await tenants.create(SERVICE, NewTenant(id="acme"))


async def test_null_takes_a_limit_back_and_what_is_left_out_stays(world: World) -> None:
    tenants = world.accounts.tenants
    await tenants.create(SERVICE, NewTenant(id="acme", rate_limit=5, max_running=2))

    after = await tenants.change(SERVICE, "acme", TenantChange(rate_limit=None))

    assert limits(after) == {**USUAL, "max_running": 2}
    assert await tenants.change(SERVICE, "acme", TenantChange()) == after


async def test_an_owner_sees_and_names_their_own_tenant_and_lowers_its_limits(
    world: World,
) -> None:
    ada = await owner(world)
    tenants = world.accounts.tenants

    lower = TenantChange(name="Ada's", rate_limit=4, max_running=3, max_waiting=10)
    after = await tenants.change(ada, ada.tenant_id, lower)

    assert (after.name, after.rate_limit, after.max_running) == ("Ada's", 4, 3)
    assert await tenants.page(ada, limit=10, offset=0) == ([after], 1)
    again = await tenants.change(ada, ada.tenant_id, TenantChange(rate_limit=10))
    assert again.rate_limit == 10


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (TenantChange(weight=2), "weight above 1."),
        (TenantChange(rate_limit=11), "rateLimit above 10."),
        (TenantChange(key_rate_limit=6001), "keyRateLimit above 6000."),
        (TenantChange(max_running=5), "maxRunning above 4."),
        (TenantChange(max_running=None), "maxRunning above 4."),
        (TenantChange(max_waiting=2_000_000), "maxWaiting above 1000000."),
    ],
)
async def test_an_owner_raises_no_limit(world: World, change: TenantChange, said: str) -> None:
    ada = await owner(world)
    before = await world.accounts.tenants.change(
        SERVICE, ada.tenant_id, TenantChange(max_running=4)
    )

    with pytest.raises(Forbidden) as refused:
        await world.accounts.tenants.change(ada, ada.tenant_id, change)

    assert refused.value.message == f"Only a service key may raise {said}"
    assert await world.accounts.tenants.get(ada, ada.tenant_id) == before


async def test_an_owner_keeps_what_a_service_key_granted(world: World) -> None:
    ada = await owner(world)
    await world.accounts.tenants.change(SERVICE, ada.tenant_id, TenantChange(rate_limit=100))

    after = await world.accounts.tenants.change(
        ada, ada.tenant_id, TenantChange(rate_limit=100, name="Ada")
    )

    assert after.rate_limit == 100


async def test_who_is_no_owner_has_no_say(world: World) -> None:
    member = Principal(kind=Kind.USER, tenant_id="acme", user_id="bob", scopes=ORDINARY_SCOPES)
    ada = await owner(world)

    for call in (
        world.accounts.tenants.page(member, limit=1, offset=0),
        world.accounts.tenants.get(member, "acme"),
        world.accounts.tenants.change(member, "acme", TenantChange(name="x")),
        world.accounts.tenants.create(ada, NewTenant(id="mine")),
    ):
        with pytest.raises(Forbidden):
            await call


@pytest.mark.parametrize("tenant_id", ["acme", "unknown", "\0", "é", ""])
async def test_another_tenant_is_not_found(world: World, tenant_id: str) -> None:
    ada = await owner(world)
    await world.accounts.tenants.create(SERVICE, NewTenant(id="acme"))

    for call in (
        world.accounts.tenants.get(ada, tenant_id),
        world.accounts.tenants.change(ada, tenant_id, TenantChange(name="x")),
    ):
        with pytest.raises(NotFound, match="Tenant not found"):
            await call


@pytest.mark.parametrize("name", ["", " ", "\n", "x" * 101, "a\0b"])
async def test_a_name_can_be_seen_and_stored(world: World, name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await world.accounts.tenants.create(SERVICE, NewTenant(name=name))

    assert refused.value.fields == {"name": ["Must be 1 to 100 printable characters"]}


async def test_limits_of_a_tenant_hold_for_its_users_and_its_keys_apart(world: World) -> None:
    ada = await world.register()
    await world.accounts.tenants.change(
        SERVICE, ada.tenant_id, TenantChange(rate_limit=25, key_rate_limit=70_000)
    )
    tokens = await world.login()

    user = await world.accounts.authenticate(bearer=tokens.access_token)
    key = await world.accounts.authenticate(key=ada.api_key)

    assert (user.rate_limit, key.rate_limit) == (25, 70_000)
    made = await world.accounts.keys.create(user, rate_limit=70_000)
    assert made.rate_limit == 70_000
    with pytest.raises(Forbidden, match="above 70000 a minute"):
        await world.accounts.keys.create(user, rate_limit=70_001)
