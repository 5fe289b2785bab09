"""`send-email`, also called `email`: goes out by SMTP, or into a file where there is none."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, parseaddr
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

import jobcast
from jobcast.starter import smtp

_MAX_RECIPIENTS = 100
_LOCAL_PART = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NO_HEADER_TEXT = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")


def _address(text: str) -> str:
    """One bare address, its domain in ASCII; nothing that could end a header or a command."""
    local, _, domain = text.strip().rpartition("@")
    with suppress(UnicodeError):  # what IDNA refuses stays as it is, and is refused below
        domain = domain.encode("idna").decode("ascii")
    labelled = len(domain) <= 253 and all(map(_LABEL.fullmatch, domain.split(".")))
    if not _LOCAL_PART.fullmatch(local) or not labelled:
        raise ValueError(f"{text[:100]!r} is not an e-mail address")
    return f"{local}@{domain}"


def _addresses(to: str | list[str]) -> list[str]:
    given = to.split(",") if isinstance(to, str) else to
    if not 1 <= len(given) <= _MAX_RECIPIENTS:
        raise ValueError(f"give 1 to {_MAX_RECIPIENTS} addresses")
    return list(dict.fromkeys(map(_address, given)))


def _one_line(text: str) -> str:
    if _NO_HEADER_TEXT.search(text):
        raise ValueError("must be one line, without control characters")
    return text


_TO_SCHEMA = {
    "title": "To",
    "anyOf": [
        {"type": "string", "pattern": "@"},
        {
            "type": "array",
            "items": {"type": "string", "pattern": "@"},
            "minItems": 1,
            "maxItems": _MAX_RECIPIENTS,
        },
    ],
}


class Email(BaseModel):
    """A message; `to` is an address, a list of them, or several with commas between."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [{"to": "ada@example.com", "subject": "Hello", "body": "From a job."}]
        },
    )

    to: Annotated[str | list[str], AfterValidator(_addresses), WithJsonSchema(_TO_SCHEMA)]
    subject: Annotated[str, AfterValidator(_one_line)] = Field(
        default="", max_length=900, json_schema_extra={"pattern": r"^[^\r\n]*$"}
    )
    body: str = ""


def send_email(ctx: jobcast.SyncContext, payload: Email) -> dict[str, Any]:
    """Return {"sent": true, "timestamp"}: when, in ISO 8601.

    Without SMTP the message is saved with the job, at "fileUrl". Recipients that the server refused
    while it took others are listed in "refused". The Message-ID is made of the job's id, so that a
    message that a crash sends twice can be known.
    """
    now = datetime.now(UTC)
    recipients = list(payload.to)
    message = compose(
        payload, recipients, sender=ctx.settings.mail_from, job_id=ctx.job.id, now=now
    )
    result: dict[str, Any] = {
        "sent": True,
        "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if ctx.settings.smtp_url is None:
        result["fileUrl"] = ctx.save("message.eml", message.as_bytes(), "message/rfc822")
        ctx.log("no SMTP server is configured (SMTP_URL): the message was saved with the job")
        return result
    server = smtp.Server.parse(ctx.settings.smtp_url)
    ctx.log(f"handing the message to {server.host}:{server.port}")
    refused = smtp.deliver(message, recipients, server)
    if refused:
        ctx.log(f"refused by the server: {', '.join(refused)}", "warning")
        result["refused"] = refused
    return result


def compose(
    payload: Email, recipients: list[str], *, sender: str, job_id: str, now: datetime
) -> EmailMessage:
    """The message as it goes out; text that UTF-8 can't hold is replaced."""
    name, address = parseaddr(sender)
    message = EmailMessage(policy=SMTP)
    message["From"] = formataddr((name, address)) if name.isascii() else f"{name} <{address}>"
    message["To"] = ", ".join(recipients)
    message["Subject"] = _encodable(payload.subject)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{job_id}@{address.rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_encodable(payload.body))
    return message


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
