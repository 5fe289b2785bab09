"""The Python SDK: submits jobs to a Jobcast server and watches them live, over its wire only."""

from jobcast.client.client import AsyncClient
from jobcast.client.errors import (
    Conflict,
    Disconnected,
    Forbidden,
    InvalidRequest,
    JobcastError,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
    Unreachable,
)
from jobcast.client.models import (
    ApiKey,
    Event,
    File,
    Invite,
    Job,
    LogLine,
    OutputPiece,
    Page,
    Progress,
    Tenant,
    Tokens,
)

__all__ = [
    "ApiKey",
    "AsyncClient",
    "Conflict",
    "Disconnected",
    "Event",
    "File",
    "Forbidden",
    "InvalidRequest",
    "Invite",
    "Job",
    "JobcastError",
    "LogLine",
    "NotFound",
    "OutputPiece",
    "Page",
    "Progress",
    "RateLimited",
    "ServerError",
    "Tenant",
    "Tokens",
    "Unauthorized",
    "Unreachable",
]
