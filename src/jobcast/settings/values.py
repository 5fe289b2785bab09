"""The kinds of values that settings take: each a type that reads text and says what it wants."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([smhdw]?)")
_TEN_YEARS: Final = 3650 * 86_400
_HOST: Final = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?")
_POSTGRES: Final = re.compile(r"postgres(?:ql)?(?:\+[a-z0-9]+)?://(?=.)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wants:
    """What a setting takes, in the words that follow "must be"."""

    text: str


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip().lower())
    if match is None:
        raise ValueError("not a duration")
    return float(match[1]) * _UNITS[match[2]]


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _database_url(value: str) -> str:
    match = _POSTGRES.match(value)
    if match is None:
        raise ValueError("not PostgreSQL")
    return f"postgresql://{value[match.end() :]}"


def _redis_url(value: str) -> str:
    parts = urlsplit(value)
    where = parts.path if parts.scheme == "unix" else parts.hostname
    # Reading `port` raises a ValueError where it isn't a number.
    if parts.scheme not in {"redis", "rediss", "unix"} or not where or parts.port == 0:
        raise ValueError("not a Redis address")
    return value


def _smtp_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.port == 0:
        raise ValueError("not an SMTP address")
    return value


def _web_url(value: str) -> str:
    parts = urlsplit(value)
    rest = parts.query or parts.fragment or parts.port == 0
    if parts.scheme not in {"http", "https"} or not parts.hostname or rest:
        raise ValueError("not a web address")
    return value.rstrip("/")


def _origin(value: str) -> str:
    """As browsers send it: lower case, no path, and no port where it is the scheme's own."""
    parts = urlsplit(value.lower().removesuffix("/"))
    rest = parts.path or parts.query or parts.fragment or "@" in parts.netloc or parts.port == 0
    if not parts.scheme or not parts.hostname or rest:
        raise ValueError("not an origin")
    own_port = {"http": ":80", "https": ":443"}.get(parts.scheme, ":")
    return f"{parts.scheme}://{parts.netloc.removesuffix(own_port)}"


def _host(value: str) -> str:
    if not _HOST.fullmatch(value.lower()):
        raise ValueError("not a host name")
    return value.lower()


def _network(value: str) -> str:
    return str(ipaddress.ip_network(value))


def _mail_address(value: str) -> str:
    if "@" not in parseaddr(value)[1] or not value.isprintable():
        raise ValueError("not an address")
    return value


def _webhook_secret(value: str) -> str:
    if value.startswith("whsec_"):
        try:
            base64.b64decode(value.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise ValueError("not base64") from error
    return value


Env = Annotated[
    Literal["development", "production", "test"],
    BeforeValidator(_lower),
    Wants("development, production or test"),
]
Registration = Annotated[
    Literal["open", "invite", "closed"], BeforeValidator(_lower), Wants("open, invite or closed")
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    BeforeValidator(_lower),
    Wants("debug, info, warning or error"),
]
Text = Annotated[str, Field(min_length=1, max_length=200), Wants("a text of 1 to 200 characters")]
Folder = Annotated[Path, AfterValidator(Path.expanduser), Wants("a folder")]
Port = Annotated[int, Field(ge=0, le=65_535), Wants("a port number from 0 to 65535")]
Count = Annotated[int, Field(ge=1, le=2**53), Wants("a whole number from 1 up")]
Flag = Annotated[bool, Wants("true or false")]

#: Whole seconds.
Seconds = Annotated[
    int,
    BeforeValidator(_seconds),
    Field(ge=1, le=_TEN_YEARS),
    Wants("a duration of whole seconds such as 90s, 15m, 12h, 7d or 3600"),
]
#: Seconds and parts of them.
Span = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(gt=0, le=_TEN_YEARS, allow_inf_nan=False),
    Wants("a duration such as 2.5, 10s or 1m"),
]
Waits = Annotated[
    tuple[Annotated[int, BeforeValidator(_seconds), Field(ge=0, le=_TEN_YEARS)], ...],
    BeforeValidator(_split),
    Field(min_length=1, max_length=50),
    Wants("a comma-separated list of waits such as 0,2s,4s,30s,5m"),
]

Secrets = Annotated[
    tuple[str, ...],
    BeforeValidator(_split),
    Field(repr=False),
    Wants("one secret, or two separated by a comma, the new one first"),
]
WebhookSecrets = Annotated[
    tuple[Annotated[str, AfterValidator(_webhook_secret)], ...],
    BeforeValidator(_split),
    Field(repr=False),
    Wants("one secret or two separated by a comma; what follows whsec_ in one has to be base64"),
]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...],
    BeforeValidator(_split),
    Wants("a comma-separated list of origins such as https://app.example.com"),
]
Networks = Annotated[
    tuple[Annotated[str, AfterValidator(_network)], ...],
    BeforeValidator(_split),
    Wants("a comma-separated list of networks such as 10.1.0.0/16"),
]

Hosts = Annotated[
    tuple[Annotated[str, AfterValidator(_host)], ...],
    BeforeValidator(_split),
    Wants("a comma-separated list of host names such as jobs.example.com or *.example.com"),
]

DatabaseUrl = Annotated[
    Annotated[str, AfterValidator(_database_url)] | None,
    Field(repr=False),
    Wants("a postgres:// or postgresql:// address, or empty for SQLite"),
]
RedisUrl = Annotated[
    Annotated[str, AfterValidator(_redis_url)] | None,
    Field(repr=False),
    Wants("a redis:// or rediss:// address, or REDIS_HOST a host name and REDIS_PORT its port"),
]
SmtpUrl = Annotated[
    Annotated[str, AfterValidator(_smtp_url)] | None,
    Field(repr=False),
    Wants("an smtp:// or smtps:// address"),
]
WebUrl = Annotated[
    Annotated[str, AfterValidator(_web_url)] | None, Wants("an http:// or https:// address")
]
MailAddress = Annotated[
    str, AfterValidator(_mail_address), Wants("an address such as Jobs <jobs@example.com>")
]
