"""What the walk knows of each command of the socket: frames that name what is another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.suites.tenancy.routes import JOB
from tests.suites.tenancy.sides import Things

from jobcast.wire import commands

Frames = Callable[[Things], list[dict[str, Any]]]


def _jobs(type: str, **more: Any) -> Frames:
    """About each of their jobs: named alone, and with their tenant."""
    return lambda other: [
        {"type": type, "jobId": job, **tenant, **more}
        for job in other.jobs
        for tenant in ({}, {"tenantId": other.tenant})
    ]


def _channels(type: str, **more: Any) -> Frames:
    """About a channel of their name in one's own tenant, and in theirs."""
    return lambda other: [
        {"type": type, "channel": other.name, **tenant, **more}
        for tenant in ({"tenantId": other.tenant},)
    ]


COMMANDS: Final[Mapping[Any, Frames]] = {
    commands.Auth: lambda other: [{"type": "auth", "key": f"jc_test_{other.key}_x"}],
    commands.Ping: lambda other: [{"type": "ping"}],
    commands.SubscribeJob: _jobs("subscribe", after=0),
    commands.SubscribeTenant: lambda other: [
        {"type": "subscribe", "tenantId": other.tenant},
        {"type": "subscribe", "tenantId": other.tenant, "after": "0"},
    ],
    commands.UnsubscribeJob: _jobs("unsubscribe"),
    commands.UnsubscribeTenant: lambda other: [{"type": "unsubscribe", "tenantId": other.tenant}],
    commands.Submit: lambda other: [
        {"type": "submit", "job": {**JOB, "tenantId": other.tenant}, "subscribe": False}
    ],
    commands.Cancel: _jobs("cancel"),
    commands.Join: _channels("join", after=0),
    commands.Publish: _channels("publish", data={"said": 1}),
    commands.Leave: _channels("leave"),
}
