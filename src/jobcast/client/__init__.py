"""The Python SDK: submits jobs to a Jobcast server and watches them live, over its wire only."""

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
