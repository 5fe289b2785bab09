import asyncio

from tests.unit.services.world import settings
from tests.unit.starter.smtp_server import SmtpServer

from jobcast.services.mail import Mail, Mailer, invitation, reset_link

MAIL = Mail("ada@example.com", "Hello", "Grüße\n")


async def sent(mailer: Mailer, *mails: Mail) -> None:
    for mail in mails:
        mailer.post(mail)
    async with asyncio.timeout(20):
        await mailer.close()


async def test_mails_go_out_in_order() -> None:
    async with SmtpServer() as server:
        mailer = Mailer(settings(smtp_url=server.url))
        await sent(mailer, MAIL, Mail("bob@example.com", "Hi", "there"))

    assert [mail.recipients for mail in server.mails] == [["ada@example.com"], ["bob@example.com"]]


async def test_what_is_put_off_is_tried_again_and_what_is_refused_is_not() -> None:
    async with SmtpServer() as server:
        server.refusals = {"ada@example.com": "450 later", "bob@example.com": "550 never"}
        mailer = Mailer(settings(smtp_url=server.url), waits=(0, 0, 0))
        await sent(mailer, MAIL, Mail("bob@example.com", "Hi", "there"), MAIL)

    assert server.mails == []
    assert not mailer._task or mailer._task.done()


async def test_a_server_out_of_reach_delays_nobody_for_ever() -> None:
    mailer = Mailer(settings(smtp_url="smtp://127.0.0.1:1"), waits=(0, 0))

    await sent(mailer, MAIL)


async def test_without_a_server_nothing_is_kept() -> None:
    mailer = Mailer(settings())

    await sent(mailer, MAIL)

    assert not mailer.enabled


def test_what_letters_say() -> None:
    invite = invitation(to="a@b.de", app="Jobs", base="https://j.example", invite="ji_1")
    reset = reset_link(to="a@b.de", app="Jobs", base=None, token="jp_1")

    assert "https://j.example/#/register?invite=ji_1" in invite.text
    assert reset.text.startswith("Someone has asked to set your password at Jobs anew. ")
    assert "\n\njp_1\n" in reset.text
