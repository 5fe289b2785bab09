"""What an HTTP response means: a success's document, or the tree's error."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2

from jobcast.client import codec
from jobcast.client.address import Address
from jobcast.client.errors import JobcastError, ServerError, Unreachable, for_status

NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""What says that a request has not left this machine."""


def document(response: httpx2.Response) -> dict[str, Any]:
    """The JSON object that answers. Raises ServerError for anything else."""
    try:
        found = codec.loads(response.content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ServerError(
            f"What answers at {response.url.copy_with(query=None)} is not a Jobcast server"
            f" (status {response.status_code}).",
            code="BAD_ANSWER",
            status=response.status_code,
        )
    return found


def success(response: httpx2.Response) -> dict[str, Any]:
    """The envelope of a success; one without a body (304) is an empty one."""
    return document(response) if response.content else {}


def refusal(response: httpx2.Response) -> JobcastError:
    """The error that a response of 400 or more stands for."""
    status = response.status_code
    asked = _seconds(response.headers.get("Retry-After"))
    try:
        said = document(response)
    except ServerError as stranger:
        stranger.retry_after = asked
        return stranger
    message = said.get("message")
    return for_status(status)(
        message if isinstance(message, str) else f"The server answered with status {status}.",
        code=said.get("code"),
        status=status,
        errors=said.get("errors"),
        retry_after=asked if asked is not None else _seconds(said.get("retryAfter")),
    )


def unreachable(address: Address, problem: Exception) -> Unreachable:
    """Why no answer came, in words."""
    if "CERTIFICATE_VERIFY_FAILED" in str(problem):
        why = "its TLS certificate is not trusted here"
    elif isinstance(problem, httpx2.PoolTimeout):
        why = "all of this client's connections are busy"
    elif isinstance(problem, NEVER_SENT):
        why = "no server answers there"
    elif isinstance(problem, httpx2.TimeoutException):
        why = "it did not answer in time"
    else:
        why = "the connection was lost before an answer came"
    return Unreachable(f"Could not reach {address.root}: {why}.")


def _seconds(value: Any) -> float | None:
    """Seconds from now: a number, its text, or a date of HTTP; None for anything else."""
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        pass
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
