"""What a session asks of its shell: send, ping, close, or carry out a use case."""

from dataclasses import dataclass, field
from typing import Literal

from jobcast.wire import commands
from jobcast.wire.close import CloseCode
from jobcast.wire.commands import CommandId


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client proves itself with. The secret is kept out of every log."""

    kind: Literal["token", "key", "ticket", "guest"]
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Find the principal behind these credentials.

    `by_command`: they came in an `auth` command (then `id` is its), not with the handshake.
    """

    credentials: Credentials
    by_command: bool
    id: CommandId | None = None

    @classmethod
    def from_command(cls, command: commands.Auth) -> "Authenticate":
        """What an `auth` command asks for; it has exactly one of its secrets."""
        if command.token is not None:
            credentials = Credentials("token", command.token)
        elif command.key is not None:
            credentials = Credentials("key", command.key)
        else:
            assert command.ticket is not None
            credentials = Credentials("ticket", command.ticket)
        return cls(credentials, by_command=True, id=command.id)


Plain = (
    commands.SubscribeJob
    | commands.SubscribeTenant
    | commands.UnsubscribeJob
    | commands.UnsubscribeTenant
    | commands.Cancel
    | commands.Join
    | commands.Leave
    | commands.Publish
)
"""Requests that end by `Session.completed`."""

Request = Authenticate | commands.Submit | Plain
"""A use case for the shell to carry out: a command as it came, or `Authenticate`."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this as a text frame; `frame` is UTF-8."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a ping frame of the protocol; tell `Session.pong_received` of its answer."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send what was sent before, then close. The session has ended and acts no more."""

    code: CloseCode
    reason: str


@dataclass(frozen=True, slots=True)
class Do:
    """Carry this out, then tell the session by the method that fits, or by `Session.failed`.

    Requests of one session are carried out one at a time, in order, and not after a `Close`.
    """

    request: Request


Action = Send | Ping | Close | Do
