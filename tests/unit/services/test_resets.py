import asyncio
import re
from collections.abc import AsyncIterator
from email import message_from_bytes, policy

import pytest
from tests.unit.services.database import Database
from tests.unit.services.world import ADDRESS, PASSWORD, World, settings
from tests.unit.starter.smtp_server import SmtpServer

from jobcast.domain.errors import InvalidOperation, InvalidRequest, RateLimited, Unauthorized
from jobcast.runtime.clock import FakeClock

NEW = "another horse"
BASE = "https://jobs.example.com"


@pytest.fixture
async def mail() -> AsyncIterator[SmtpServer]:
    async with SmtpServer() as server:
        yield server


@pytest.fixture
async def world(database: Database, clock: FakeClock, mail: SmtpServer) -> AsyncIterator[World]:
    made = World(database, clock, settings(smtp_url=mail.url, mail_from="Jobs <jobs@acme.example>"))
    yield made
    await made.close()


async def ask(world: World, email: str = "ada@example.com", base: str | None = BASE) -> None:
    """Asks for a mail, and waits until it is out, if there is one."""
    await world.accounts.resets.request(email=email, address=ADDRESS, base=base)
    await world.accounts.resets.close()
    mails = world.accounts.mailer._task
    if mails is not None:
        async with asyncio.timeout(20):
            await mails


def text_of(mail: SmtpServer) -> str:
    message = message_from_bytes(mail.mails[-1].data, policy=policy.default)
    return str(message.get_content())


def token_in(mail: SmtpServer) -> str:
    found = re.search(r"jp_[\w-]+", text_of(mail))
    assert found is not None
    return found[0]


async def test_a_link_comes_by_mail_and_sets_the_password_once(
    world: World, mail: SmtpServer
) -> None:
    _, tokens = await world.come_in()
    await ask(world, " ADA@example.com")

    token = token_in(mail)
    await world.accounts.resets.confirm(token=token, password=NEW)

    assert mail.mails[-1].recipients == ["ada@example.com"]
    assert f"{BASE}/#/reset?token={token}" in text_of(mail)
    with pytest.raises(Unauthorized):
        await world.login()
    assert await world.login(password=NEW)
    with pytest.raises(Unauthorized, match="This login has ended"):
        await world.accounts.authenticate(bearer=tokens.access_token)
    with pytest.raises(InvalidOperation, match="was used"):
        await world.accounts.resets.confirm(token=token, password="a third horse")


async def test_without_a_base_the_mail_has_the_token_and_no_link(
    world: World, mail: SmtpServer
) -> None:
    await world.register()
    await ask(world, base=None)

    assert token_in(mail)
    assert "http" not in text_of(mail)


async def test_an_unknown_address_gets_the_same_answer_and_no_mail(
    world: World, mail: SmtpServer
) -> None:
    await ask(world, "eve@example.com")
    await ask(world, "\x00\ud800")

    assert mail.mails == []


async def test_a_token_is_good_for_an_hour_and_the_newest_one_alone(
    world: World, mail: SmtpServer
) -> None:
    await world.register()
    await ask(world)
    first = token_in(mail)
    await ask(world)
    second = token_in(mail)

    with pytest.raises(InvalidOperation):
        await world.accounts.resets.confirm(token=first, password=NEW)
    world.clock.advance(3600)
    with pytest.raises(InvalidOperation) as refused:
        await world.accounts.resets.confirm(token=second, password=NEW)

    assert refused.value.fields == {"token": [refused.value.message]}
    assert await world.login(password=PASSWORD)


async def test_of_two_who_use_a_token_at_once_one_does(world: World, mail: SmtpServer) -> None:
    await world.register()
    await ask(world)
    token = token_in(mail)

    answers = await asyncio.gather(
        *(world.accounts.resets.confirm(token=token, password=NEW) for _ in range(5)),
        return_exceptions=True,
    )

    assert sorted(map(type, answers), key=repr) == [type(None), *[InvalidOperation] * 4]


async def test_a_changed_password_makes_open_tokens_void(world: World, mail: SmtpServer) -> None:
    principal, _ = await world.come_in()
    await ask(world)
    await world.accounts.change_password(principal, current=PASSWORD, new=NEW, address=ADDRESS)

    with pytest.raises(InvalidOperation):
        await world.accounts.resets.confirm(token=token_in(mail), password="a third horse")


async def test_a_new_password_has_to_be_a_good_one(world: World, mail: SmtpServer) -> None:
    await world.register()
    await ask(world)

    with pytest.raises(InvalidRequest) as refused:
        await world.accounts.resets.confirm(token=token_in(mail), password="short")

    assert refused.value.fields == {"newPassword": ["Password must be at least 8 characters"]}


async def test_nobodys_mailbox_is_filled(world: World, mail: SmtpServer) -> None:
    await world.register()
    for _ in range(10):
        await ask(world)

    assert len(mail.mails) == 5


async def test_an_address_asks_twenty_times_an_hour(world: World) -> None:
    for _ in range(20):
        await ask(world, "eve@example.com")

    with pytest.raises(RateLimited, match="Too many password resets"):
        await ask(world, "eve@example.com")


async def test_without_a_mail_server_it_says_so(database: Database, clock: FakeClock) -> None:
    world = World(database, clock, settings())

    with pytest.raises(InvalidOperation, match="no mail server is set up"):
        await world.accounts.resets.request(email="ada@example.com", address=ADDRESS, base=BASE)
    await world.close()


async def test_the_database_holds_no_token_that_could_be_used(
    world: World, mail: SmtpServer, database: Database
) -> None:
    await world.register()
    await ask(world)

    with database.engine.connect() as conn:
        dump = "\n".join(conn.connection.iterdump())
    assert token_in(mail) not in dump
