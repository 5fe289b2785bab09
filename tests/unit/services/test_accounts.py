import pytest
from tests.unit.services.database import Database
from tests.unit.services.world import ADDRESS, PASSWORD, World, settings

from jobcast.domain.access import ALL_SCOPES, Kind
from jobcast.domain.errors import Forbidden, InvalidOperation, InvalidRequest, Unauthorized
from jobcast.runtime.clock import FakeClock
from jobcast.services.passwords import Passwords
from jobcast.store import accounts as sql


async def test_a_new_user_owns_a_tenant_of_their_own_and_gets_its_first_key(world: World) -> None:
    ada = await world.register("ada@example.com")
    bob = await world.register("bob@example.com")

    principal = await world.accounts.authenticate(key=ada.api_key)

    assert ada.tenant_id != bob.tenant_id
    assert ada.api_key.startswith("jc_test_")
    assert principal.kind is Kind.KEY
    assert (principal.tenant_id, principal.user_id) == (ada.tenant_id, ada.id)
    assert principal.name == "ada"


async def test_a_user_who_logs_in_is_known_by_their_access_token(world: World) -> None:
    ada = await world.register()
    tokens = await world.login()

    principal = await world.accounts.authenticate(bearer=tokens.access_token)

    assert principal.kind is Kind.USER
    assert principal.owner
    assert principal.scopes == ALL_SCOPES
    assert (principal.tenant_id, principal.user_id) == (ada.tenant_id, ada.id)
    assert principal.login_id is not None
    assert principal.expires_at == world.clock.now() // 1000 * 1000 + 900_000


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "a da@example.com",
        "ada@exa mple.com",
        "ada..b@example.com",
        "ada@example..com",
        "ada@-example.com",
        "ada@example.com\nbcc: x@y.de",
        "x" * 65 + "@example.com",
        "ada@" + "a" * 250 + ".com",
        "ada@ex\x00ample.com",
        "a\x00da@example.com",
        "a\ud800da@example.com",
    ],
)
async def test_what_is_no_email_address_is_refused(world: World, email: str) -> None:
    with pytest.raises(InvalidRequest, match="Validation error") as refused:
        await world.register(email)

    assert refused.value.fields == {"email": ["Invalid email format"]}


@pytest.mark.parametrize(
    "email", ["a.b+c@sub.example.co", "ada@firma.local", "ünï@bücher.de", "o'neil@example.com"]
)
async def test_what_mail_servers_take_is_taken(world: World, email: str) -> None:
    assert (await world.register(email)).email == email


async def test_all_faults_of_a_registration_are_named_at_once(world: World) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await world.accounts.register(email="ada", password="short", address=ADDRESS)

    assert refused.value.fields == {
        "email": ["Invalid email format"],
        "password": ["Password must be at least 8 characters"],
    }


async def test_a_password_of_more_than_a_kilobyte_is_refused(world: World) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await world.accounts.register(email="a@b.de", password="ä" * 513, address=ADDRESS)

    assert refused.value.fields == {"password": ["Password must be at most 1024 bytes"]}
    await world.accounts.register(email="a@b.de", password="ä" * 512, address=ADDRESS)


async def test_an_address_registers_once_however_it_is_written(world: World) -> None:
    await world.register("ada@example.com")

    with pytest.raises(InvalidOperation, match=r"^Email already registered$"):
        await world.register(" Ada@Example.COM ")

    assert await world.login("ADA@example.com")


async def test_a_refused_registration_leaves_nothing_behind(world: World) -> None:
    ada = await world.register()
    with pytest.raises(InvalidOperation):
        await world.register()

    keys, total = await world.accounts.keys.page(
        await world.accounts.authenticate(key=ada.api_key), limit=10, offset=0
    )
    assert total == len(keys) == 1


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("invite", "Registration is by invitation only: ask an owner for an invite."),
        ("closed", "Registration is closed."),
    ],
)
async def test_registration_can_be_switched_off(
    database: Database, clock: FakeClock, mode: str, sentence: str
) -> None:
    world = World(database, clock, settings(registration=mode))

    with pytest.raises(Forbidden) as refused:
        await world.register()

    assert refused.value.message == sentence
    await world.close()


async def test_a_wrong_password_and_an_unknown_address_look_alike(world: World) -> None:
    await world.register()

    with pytest.raises(Unauthorized) as wrong:
        await world.login(password="wrong horse")
    with pytest.raises(Unauthorized) as unknown:
        await world.login("eve@example.com")

    assert wrong.value.message == unknown.value.message == "Invalid email or password"


async def test_an_unknown_address_costs_a_check_of_a_password_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    matches = Passwords._verify

    def counted(self: Passwords, stored: str, password: str) -> bool:
        checked.append(stored.rpartition("$")[0].rpartition("$")[0])
        return matches(self, stored, password)

    monkeypatch.setattr(Passwords, "_verify", counted)
    await world.register()
    for email in ("ada@example.com", "eve@example.com"):
        with pytest.raises(Unauthorized):
            await world.login(email, password="wrong horse")

    assert checked == ["$argon2id$v=19$m=8,t=1,p=1"] * 2


async def test_a_password_with_lone_surrogates_or_nul_is_only_wrong(world: World) -> None:
    for password in ("\ud800" * 10, "\x00" * 10, "x" * 100_000):
        with pytest.raises(Unauthorized, match="Invalid email or password"):
            await world.login("\ud800@example.com", password=password)


async def test_a_hash_with_old_figures_is_renewed_by_a_login(world: World) -> None:
    ada = await world.register()
    older = Passwords(memory_kib=16, time_cost=1)
    stored = await older.hash(PASSWORD)
    older.close()
    before = await hash_of(world, ada.id)
    await world.database.write(
        lambda conn: sql.set_password(conn, user_id=ada.id, password=stored, was=before)
    )

    await world.login()

    assert (await hash_of(world, ada.id)).startswith("$argon2id$v=19$m=8,t=1,p=1$")
    await world.login()


async def test_me_is_the_user_and_nobody_for_a_key_of_no_user(world: World) -> None:
    ada = await world.register()
    service = await world.accounts.keys.issue(tenant_id="acme", scopes=ALL_SCOPES)

    user = await world.accounts.me(await world.accounts.authenticate(key=ada.api_key))
    nobody = await world.accounts.me(await world.accounts.authenticate(key=service.text))

    assert user is not None
    assert (user.email, user.tenant_id) == (ada.email, ada.tenant_id)
    assert nobody is None


async def test_a_changed_password_ends_the_other_logins_and_not_this_one(world: World) -> None:
    principal, tokens = await world.come_in()
    other = await world.login()

    await world.accounts.change_password(
        principal, current=PASSWORD, new="another horse", address=ADDRESS
    )

    assert await world.accounts.authenticate(bearer=tokens.access_token)
    assert await world.accounts.logins.refresh(tokens.refresh_token)
    with pytest.raises(Unauthorized, match="This login has ended"):
        await world.accounts.authenticate(bearer=other.access_token)
    with pytest.raises(Unauthorized, match="Invalid email or password"):
        await world.login()
    assert await world.login(password="another horse")


@pytest.mark.parametrize(
    ("current", "new", "fields"),
    [
        ("wrong horse", "another horse", {"currentPassword": ["The current password is wrong"]}),
        (PASSWORD, "short", {"newPassword": ["Password must be at least 8 characters"]}),
    ],
)
async def test_a_change_of_password_names_what_is_wrong(
    world: World, current: str, new: str, fields: dict[str, list[str]]
) -> None:
    principal, _ = await world.come_in()

    with pytest.raises(InvalidRequest) as refused:
        await world.accounts.change_password(principal, current=current, new=new, address=ADDRESS)

    assert refused.value.fields == fields
    assert await world.login()


async def test_a_key_changes_no_password(world: World) -> None:
    ada = await world.register()
    principal = await world.accounts.authenticate(key=ada.api_key)

    with pytest.raises(Forbidden, match="an API key is not enough"):
        await world.accounts.change_password(
            principal, current=PASSWORD, new="another horse", address=ADDRESS
        )


async def test_no_secret_shows_in_a_repr(world: World) -> None:
    registered = await world.accounts.register(
        email="ada@example.com", password=PASSWORD, address=ADDRESS
    )
    tokens = await world.login()
    key = await world.accounts.keys.issue(tenant_id="acme", scopes=ALL_SCOPES)
    user = await world.database.read(lambda conn: sql.user_by_email(conn, email="ada@example.com"))
    assert user is not None

    shown = f"{registered!r} {tokens!r} {key!r} {user!r} {world.settings!r}"

    for secret in (
        registered.api_key,
        tokens.access_token,
        tokens.refresh_token,
        key.text,
        user.password,
        *world.settings.jwt_access_secrets,
    ):
        assert secret not in shown


async def hash_of(world: World, user_id: str) -> str:
    user = await world.database.read(lambda conn: sql.user_by_id(conn, user_id=user_id))
    assert user is not None
    return user.password
