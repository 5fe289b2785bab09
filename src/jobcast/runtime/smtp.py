"""Delivery by SMTP. It blocks: call it on a thread."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

_TIMEOUT: Final = 20.0  # seconds, for each wait on the server
_SUBMISSION: Final = 587  # RFC 6409
_SUBMISSIONS: Final = 465  # RFC 8314


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail goes. `tls`: from the first byte; `starttls`: required, else used if offered."""

    host: str
    port: int
    tls: bool
    starttls: bool
    user: str | None
    password: str = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `smtp[s]://[user:password@]host[:port][?starttls]`; user and password unquoted."""
        parts = urlsplit(url)
        tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or (_SUBMISSIONS if tls else _SUBMISSION),
            tls=tls,
            starttls="starttls" in parse_qs(parts.query, keep_blank_values=True),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password or ""),
        )


class Refused(Exception):
    """The server would not take the message: `permanent`, or now, and later it may."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


def deliver(
    message: EmailMessage,
    recipients: list[str],
    server: Server,
    *,
    tls: ssl.SSLContext | None = None,
) -> dict[str, str]:
    """Send the message; return who was refused, with the reason, if others were accepted.

    Raises Refused, and OSError where the server is out of reach.
    """
    tls = tls or ssl.create_default_context()
    try:
        with _connect(server, tls) as connection:
            connection.ehlo_or_helo_if_needed()
            if not server.tls and (server.starttls or connection.has_extn("starttls")):
                connection.starttls(context=tls)
            if server.user is not None:
                connection.login(server.user, server.password)
            refused = connection.send_message(message, to_addrs=recipients)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _verdict(_reasons(error.recipients), codes) from error
    except smtplib.SMTPResponseException as error:
        raise _verdict(
            {"": _reason(error.smtp_code, error.smtp_error)}, [error.smtp_code]
        ) from error
    except smtplib.SMTPNotSupportedError as error:
        sentence = f"the SMTP server can't do what is asked of it: {error}"
        raise Refused(sentence, permanent=True) from error
    return _reasons(refused)


def _connect(server: Server, tls: ssl.SSLContext) -> smtplib.SMTP:
    if server.tls:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=_TIMEOUT, context=tls)
    return smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT)


def _verdict(reasons: dict[str, str], codes: list[int]) -> Refused:
    """Permanent only if every refusal is."""
    why = "; ".join(f"{who}: {reason}" if who else reason for who, reason in reasons.items())
    if all(code >= 500 for code in codes):
        return Refused(f"the SMTP server refused: {why}", permanent=True)
    return Refused(f"the SMTP server put it off: {why}", permanent=False)


def _reasons(refused: dict[str, tuple[int, bytes]]) -> dict[str, str]:
    return {who: _reason(code, text) for who, (code, text) in refused.items()}


def _reason(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {words}"
