"""The Python SDK: submits jobs to a Jobcast server and watches them live, over its wire only.

Each name is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jobcast.client.account_models import (
        ApiKey,
        Identity,
        Invite,
        Tenant,
        Tokens,
        WatchToken,
    )
    from jobcast.client.blocking import Channel
    from jobcast.client.channel_models import (
        ChannelEvent,
        ChannelInfo,
        Gap,
        History,
        Joined,
        Message,
        Presence,
        Published,
        Sender,
    )
    from jobcast.client.channels import AsyncChannel
    from jobcast.client.client import AsyncClient
    from jobcast.client.errors import (
        ClientClosed,
        Conflict,
        Disconnected,
        Forbidden,
        InvalidRequest,
        JobcastError,
        JobFailed,
        NotFound,
        RateLimited,
        ServerError,
        Unauthorized,
        Unreachable,
    )
    from jobcast.client.models import Event, File, Job, LogLine, OutputPiece, Page, Progress
    from jobcast.client.new_job import NewJob
    from jobcast.client.operation_models import (
        Health,
        JobType,
        Minute,
        Queue,
        Schedule,
        Stats,
        Worker,
    )
    from jobcast.client.sync_client import Client
    from jobcast.client.webhook_models import WebhookAttempt, WebhookEndpoint, WebhookSecret

__all__ = [
    "ApiKey",
    "AsyncChannel",
    "AsyncClient",
    "Channel",
    "ChannelEvent",
    "ChannelInfo",
    "Client",
    "ClientClosed",
    "Conflict",
    "Disconnected",
    "Event",
    "File",
    "Forbidden",
    "Gap",
    "Health",
    "History",
    "Identity",
    "InvalidRequest",
    "Invite",
    "Job",
    "JobFailed",
    "JobType",
    "JobcastError",
    "Joined",
    "LogLine",
    "Message",
    "Minute",
    "NewJob",
    "NotFound",
    "OutputPiece",
    "Page",
    "Presence",
    "Progress",
    "Published",
    "Queue",
    "RateLimited",
    "Schedule",
    "Sender",
    "ServerError",
    "Stats",
    "Tenant",
    "Tokens",
    "Unauthorized",
    "Unreachable",
    "WatchToken",
    "WebhookAttempt",
    "WebhookEndpoint",
    "WebhookSecret",
    "Worker",
]

_NAMES: Final = {
    "account_models": (
        "ApiKey",
        "Identity",
        "Invite",
        "Tenant",
        "Tokens",
        "WatchToken",
    ),
    "blocking": ("Channel",),
    "channel_models": (
        "ChannelEvent",
        "ChannelInfo",
        "Gap",
        "History",
        "Joined",
        "Message",
        "Presence",
        "Published",
        "Sender",
    ),
    "channels": ("AsyncChannel",),
    "client": ("AsyncClient",),
    "errors": (
        "ClientClosed",
        "Conflict",
        "Disconnected",
        "Forbidden",
        "InvalidRequest",
        "JobFailed",
        "JobcastError",
        "NotFound",
        "RateLimited",
        "ServerError",
        "Unauthorized",
        "Unreachable",
    ),
    "models": (
        "Event",
        "File",
        "Job",
        "LogLine",
        "OutputPiece",
        "Page",
        "Progress",
    ),
    "new_job": ("NewJob",),
    "operation_models": (
        "Health",
        "JobType",
        "Minute",
        "Queue",
        "Schedule",
        "Stats",
        "Worker",
    ),
    "sync_client": ("Client",),
    "webhook_models": (
        "WebhookAttempt",
        "WebhookEndpoint",
        "WebhookSecret",
    ),
}
_HOMES: Final = {name: home for home, names in _NAMES.items() for name in names}

if not TYPE_CHECKING:  # else every name would be one to a type checker

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{home}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted(__all__)
