"""The one tree of errors that a caller of Jobcast can see.

Every error carries a `code` for programs, a `message` for people, the HTTP `status` it maps to and
whether trying again can help. Services raise them; HTTP, WebSocket and CLI only render them.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

FieldErrors = Mapping[str, Sequence[str]]


class JobcastError(Exception):
    """Base of all errors with a meaning for the caller.

    `fields` maps the name of a bad input field to its sentences; `retry_after` is in seconds.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    temporary: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        fields: FieldErrors | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields
        self.retry_after = retry_after


class InvalidRequest(JobcastError):
    """The input does not have the form that the contract asks for."""

    code = "VALIDATION_ERROR"
    status = 400


class InvalidJson(InvalidRequest):
    """The body is not JSON at all."""

    code = "INVALID_JSON"


class InvalidOperation(JobcastError):
    """The input is well formed, but the thing is in no state for it."""

    code = "INVALID_OPERATION"
    status = 400


class UnknownJobType(InvalidRequest):
    """No worker has a handler for this type."""

    code = "UNKNOWN_JOB_TYPE"


class Unauthorized(JobcastError):
    """Credentials are missing, forged, expired or of the wrong kind."""

    code = "UNAUTHORIZED"
    status = 401


class Forbidden(JobcastError):
    """The credentials are good, but do not reach this far."""

    code = "FORBIDDEN"
    status = 403


class NotFound(JobcastError):
    """There is no such thing, or it belongs to someone else: both look the same."""

    code = "NOT_FOUND"
    status = 404


class Conflict(JobcastError):
    """The thing is there already, in another shape."""

    code = "CONFLICT"
    status = 409


class TooLarge(JobcastError):
    """The input is larger than its limit, which the message names."""

    code = "PAYLOAD_TOO_LARGE"
    status = 413


class RateLimited(JobcastError):
    """Too many requests; `retry_after` says when to come back."""

    code = "RATE_LIMITED"
    status = 429
    temporary = True


class QuotaExceeded(JobcastError):
    """A tenant has as much of something as it may; the message names it."""

    code = "QUOTA_EXCEEDED"
    status = 429
    temporary = True


class Unavailable(JobcastError):
    """Starting, draining, or something that Jobcast stands on is away.

    `detail` says why, for logs: it may name addresses of ours, which are no stranger's affair.
    """

    code = "UNAVAILABLE"
    status = 503
    temporary = True

    def __init__(
        self,
        message: str,
        *,
        fields: FieldErrors | None = None,
        retry_after: float | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message, fields=fields, retry_after=retry_after)
        if detail is not None:
            self.args: tuple[str, ...] = (f"{message} ({detail})",)


class IllegalTransition(Exception):
    """The lifecycle has no such step from this state; nothing was changed."""


class StaleRun(Exception):
    """The run that wrote is no longer the job's live one: its writes are refused."""
