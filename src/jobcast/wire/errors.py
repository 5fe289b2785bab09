"""Codes of what the socket itself refuses, and the one error of a message that can't be read."""

from enum import StrEnum

from jobcast.domain.errors import FieldErrors
from jobcast.wire.commands import CommandId


class ErrorCode(StrEnum):
    """Codes of `error` frames that the session gives by itself.

    What the services refuse carries their own codes (`jobcast.domain.errors`); the first three
    and UNAUTHORIZED mean the same there.
    """

    INVALID_JSON = "INVALID_JSON"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    UNAUTHORIZED = "UNAUTHORIZED"
    UNKNOWN_COMMAND = "UNKNOWN_COMMAND"
    BINARY_REFUSED = "BINARY_REFUSED"
    ALREADY_SUBSCRIBED = "ALREADY_SUBSCRIBED"
    TOO_MANY_SUBSCRIPTIONS = "TOO_MANY_SUBSCRIPTIONS"
    TOO_MANY_PENDING = "TOO_MANY_PENDING"
    OTHER_IDENTITY = "OTHER_IDENTITY"


class BadMessage(Exception):
    """A message that is no command. `id` is the command's, where it could still be read.

    `fields` maps the name of a bad field to its sentences, like `errors` over HTTP.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        id: CommandId | None = None,
        fields: FieldErrors | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id
        self.fields = fields
