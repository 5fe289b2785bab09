"""`/api/channels`: who is there, what was said, and to say something without a socket."""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Raw, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.bus.base import LISTED_CHANNELS, Standing
from jobcast.domain.errors import InvalidRequest
from jobcast.gateway.http import body
from jobcast.gateway.http.credentials import identified
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.job_shapes import number
from jobcast.gateway.http.operation import Operation, Parameter, route
from jobcast.gateway.state import Gateway
from jobcast.services.job_input import CHANNEL, NAME
from jobcast.wire.commands import MAX_SAFE_INTEGER
from jobcast.wire.frames import message_frame

TAG: Final = "channels"

AROUND_DATA: Final = 4_096
"""Bytes of a body beside the message in it."""


class ChannelShape(Struct, frozen=True, rename="camel"):
    """A channel: `count` connections of `users` users, and its newest message."""

    name: str
    count: int
    users: int
    offset: int
    epoch: str | None


class HistoryShape(Struct, frozen=True, rename="camel"):
    """Messages behind an offset, oldest first; `recovered` is false where some are gone."""

    channel: str
    offset: int
    epoch: str
    recovered: bool
    messages: list[Raw]


class PublishedShape(Struct, frozen=True, rename="camel"):
    """Where the message stands, and the job that it became (null where no handler takes it)."""

    channel: str
    offset: int
    epoch: str
    job_id: str | None


class NewMessage(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What to say: any JSON. `tenantId` is for service keys."""

    data: Raw
    tenant_id: str | None = None


class _Channels:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._channels = gateway.channels
        self._limit = gateway.settings.max_message_bytes + AROUND_DATA

    async def list_channels(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        found = await self._channels.list(principal, tenant_id=_tenant(request))
        channels = [_shape(listed.name, listed.standing) for listed in found]
        return success("Channels retrieved successfully", channels)

    async def show(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        name = _name(request)
        standing = await self._channels.show(principal, name, tenant_id=_tenant(request))
        return success("Channel retrieved successfully", _shape(name, standing))

    async def history(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        name = _name(request)
        found = await self._channels.history(
            principal,
            name,
            after=number(request, "after", default=0, most=MAX_SAFE_INTEGER, least=0),
            epoch=request.query_params.get("epoch") or None,
            tenant_id=_tenant(request),
        )
        messages = [
            Raw(message_frame(message.body, channel=name, offset=message.number))
            for message in found.messages
        ]
        shape = HistoryShape(name, found.offset, found.epoch, found.complete, messages)
        return success("Messages retrieved successfully", shape)

    async def publish(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        name = _name(request)
        said = await body.read(request, NewMessage, limit=self._limit)
        tenant_id = _checked(said.tenant_id) or _tenant(request)
        done = await self._channels.publish(principal, name, bytes(said.data), tenant_id=tenant_id)
        shape = PublishedShape(name, done.post.offset, done.post.epoch, done.job_id)
        return success("Message published successfully", shape, status=201)


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    channels = _Channels(gateway)
    tenant = Parameter(
        name="tenantId",
        schema={"type": "string"},
        text="The tenant whose channels are meant, for service keys.",
    )
    after = Parameter(
        name="after",
        schema={"type": "integer", "minimum": 0, "default": 0},
        text="Only messages behind this offset.",
    )
    epoch = Parameter(
        name="epoch",
        schema={"type": "string"},
        text="The history that `after` is an offset of: of another one all is given.",
    )
    return [
        route(
            "GET",
            "/api/channels",
            channels.list_channels,
            Operation(
                summary="Channels in which something happened within a day, by name",
                tag=TAG,
                text=f"Of more than {LISTED_CHANNELS} the latest ones.",
                data=list[ChannelShape],
                parameters=[tenant],
                errors=(503,),
            ),
        ),
        route(
            "GET",
            "/api/channels/{name}",
            channels.show,
            Operation(
                summary="Who is in a channel, over all gateways",
                tag=TAG,
                data=ChannelShape,
                parameters=[tenant],
                errors=(503,),
            ),
        ),
        route(
            "GET",
            "/api/channels/{name}/messages",
            channels.history,
            Operation(
                summary="What was said in a channel",
                tag=TAG,
                text="The last 100 messages or 24 hours are kept.",
                data={
                    "type": "object",
                    "required": ["channel", "offset", "epoch", "recovered", "messages"],
                    "properties": {
                        "channel": {"type": "string"},
                        "offset": {"type": "integer"},
                        "epoch": {"type": "string"},
                        "recovered": {"type": "boolean"},
                        "messages": {"type": "array", "items": {"type": "object"}},
                    },
                },
                parameters=[after, epoch, tenant],
                errors=(503,),
            ),
        ),
        route(
            "POST",
            "/api/channels/{name}/messages",
            channels.publish,
            Operation(
                summary="Say something to all who are in a channel",
                tag=TAG,
                status=201,
                body=NewMessage,
                data=PublishedShape,
                parameters=[tenant],
                errors=(429, 503),
            ),
        ),
    ]


def _shape(name: str, standing: Standing) -> ChannelShape:
    crowd = standing.crowd
    return ChannelShape(name, crowd.count, crowd.users, standing.offset, standing.epoch or None)


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    if re.fullmatch(CHANNEL, name) is None:
        sentence = "Use 1 to 128 of a-z 0-9 : _ . -"
        raise InvalidRequest("Validation error", fields={"channel": [sentence]})
    return name


def _tenant(request: Request) -> str | None:
    return _checked(request.query_params.get("tenantId") or None)


def _checked(tenant_id: str | None) -> str | None:
    if tenant_id is not None and re.fullmatch(NAME, tenant_id) is None:
        sentence = "Use 1 to 100 of A-Z a-z 0-9 . _ : -"
        raise InvalidRequest("Validation error", fields={"tenantId": [sentence]})
    return tenant_id
