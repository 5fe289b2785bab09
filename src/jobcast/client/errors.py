"""What can go wrong between a program and its Jobcast server, as one tree.

Every error has a `code` for programs and a `message` for people. `temporary` says whether the same
call may succeed later; the client has then already tried again within its bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from jobcast.client.models import Job

FieldErrors = Mapping[str, Sequence[str]]


class JobcastError(Exception):
    """Base of all errors of the client.

    `status` is the HTTP status, or None where there was none (a socket, a lost connection).
    """

    default_code: ClassVar[str] = "ERROR"
    temporary: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        errors: FieldErrors | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code: str = code or self.default_code
        self.status = status
        self.errors: FieldErrors = errors or {}
        self.retry_after = retry_after

    def __str__(self) -> str:
        """The message, with the fields at fault."""
        faults = [f"{field}: {' '.join(said)}" for field, said in self.errors.items()]
        return "; ".join([self.message, *faults])


class Unreachable(JobcastError):
    """No answer came: nothing listens there, the name is unknown, or the connection was lost."""

    default_code = "UNREACHABLE"
    temporary = True


class Unauthorized(JobcastError):
    """The key or token is missing, wrong, revoked or expired."""

    default_code = "UNAUTHORIZED"


class Forbidden(JobcastError):
    """The credentials are good, but do not allow this."""

    default_code = "FORBIDDEN"


class NotFound(JobcastError):
    """There is no such thing, or it belongs to someone else."""

    default_code = "NOT_FOUND"


class InvalidRequest(JobcastError):
    """The request was refused as it stands; `errors` maps field names to sentences."""

    default_code = "VALIDATION_ERROR"


class Conflict(JobcastError):
    """It is there already in another shape, such as an idempotency key with another body."""

    default_code = "CONFLICT"


class RateLimited(JobcastError):
    """Too many requests; `retry_after` is in seconds."""

    default_code = "RATE_LIMITED"
    temporary = True


class ServerError(JobcastError):
    """The server failed, is draining, or did not answer like a Jobcast server."""

    default_code = "SERVER_ERROR"
    temporary = True


class Disconnected(JobcastError):
    """The server closed the socket and asked not to be called again (close codes 3500-3999)."""

    default_code = "DISCONNECTED"


class ClientClosed(JobcastError):
    """The client was closed before this call, or while it was under way."""

    default_code = "CLIENT_CLOSED"


class JobFailed(JobcastError):
    """`result` was asked of a job that ended as FAILED or CANCELLED; `job` is that job."""

    default_code = "JOB_FAILED"

    def __init__(self, job: Job) -> None:
        why = f": {job.error}" if job.error else "."
        super().__init__(f"Job {job.id} ended as {job.status}{why}")
        self.job = job


_BY_STATUS: Final[Mapping[int, type[JobcastError]]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}

_BY_CODE: Final[Mapping[str, type[JobcastError]]] = {
    error.default_code: error
    for error in (Unauthorized, Forbidden, NotFound, InvalidRequest, Conflict, RateLimited)
}


def for_status(status: int) -> type[JobcastError]:
    """The class of error for an HTTP status of 400 or more."""
    if status >= 500:
        return ServerError
    return _BY_STATUS.get(status, InvalidRequest)


def for_code(code: str, *, temporary: bool) -> type[JobcastError]:
    """The class of error for the `code` of an `error` frame."""
    return _BY_CODE.get(code, ServerError if temporary else InvalidRequest)
