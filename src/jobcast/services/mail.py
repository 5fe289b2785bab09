"""Mails to people: invites, and links to set a forgotten password anew.

They leave in the background, one after the other, each tried a few times. What the process loses
when it dies is asked for again by whoever misses it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, make_msgid, parseaddr
from typing import Final

import structlog

from jobcast.runtime import smtp
from jobcast.settings import Settings

log: Final = structlog.get_logger("jobcast.mail")

WAITING: Final = 1_000
"""Mails that may wait; one more is dropped, and logged."""

WAITS: Final = (0.0, 2.0, 30.0)
"""Seconds before each attempt."""

GOODBYE: Final = 10.0
"""Seconds that mails under way get when the process ends."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one address."""

    to: str
    subject: str
    text: str


class Mailer:
    """Sends mails where a server is set; `close` it when done."""

    def __init__(self, settings: Settings, *, waits: Sequence[float] = WAITS) -> None:
        self._server = None if settings.smtp_url is None else smtp.Server.parse(settings.smtp_url)
        self._from = settings.mail_from
        self._waits = waits
        self._queue: asyncio.Queue[Mail] = asyncio.Queue(WAITING)
        self._task: asyncio.Task[None] | None = None

    @property
    def enabled(self) -> bool:
        """Whether mails go anywhere."""
        return self._server is not None

    def post(self, mail: Mail) -> None:
        """Puts a mail on its way; without a server it goes nowhere."""
        if self._server is None:
            return
        try:
            self._queue.put_nowait(mail)
        except asyncio.QueueFull:
            log.error("mail dropped: too many wait", subject=mail.subject)
            return
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work(), name="mail")

    async def close(self) -> None:
        """Returns when all mails are out, or some seconds are over."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=GOODBYE)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while not self._queue.empty():
            await self._send(self._queue.get_nowait())

    async def _send(self, mail: Mail) -> None:
        assert self._server is not None
        message = self._compose(mail)
        problem: Exception | None = None
        for wait in self._waits:
            await asyncio.sleep(wait)
            try:
                await asyncio.to_thread(smtp.deliver, message, [mail.to], self._server)
            except smtp.Refused as refused:
                problem = refused
                if refused.permanent:
                    break
            except (OSError, ValueError) as fault:
                problem = fault
            else:
                return
        log.error("mail not sent", subject=mail.subject, problem=str(problem))

    def _compose(self, mail: Mail) -> EmailMessage:
        name, address = parseaddr(self._from)
        message = EmailMessage(policy=SMTP)
        message["From"] = formataddr((name, address)) if name.isascii() else f"{name} <{address}>"
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain=address.rpartition("@")[2] or "localhost")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        return message


def invitation(*, to: str, app: str, base: str | None, invite: str) -> Mail:
    """The mail that an invite for an address comes in."""
    return Mail(
        to,
        f"You are invited to {app}",
        f"You are invited to {app}. {_way(base, 'register', 'invite', invite)}\n\n"
        "It works once. If you don't know why you get this, you need do nothing.\n",
    )


def reset_link(*, to: str, app: str, base: str | None, token: str) -> Mail:
    """The mail that lets someone set a forgotten password anew."""
    return Mail(
        to,
        f"Your password at {app}",
        f"Someone has asked to set your password at {app} anew. "
        f"{_way(base, 'reset', 'token', token)}\n\n"
        "It works once, within an hour. If it was not you, you need do nothing.\n",
    )


def _way(base: str | None, page: str, name: str, secret: str) -> str:
    if base is None:
        return f"This is the code to do it with:\n\n{secret}"
    return f"Follow this link:\n\n{base}/#/{page}?{name}={secret}"
