"""The AsyncAPI 3 document of the socket: made of the message types, so it can't say another thing.

Operations are named from the server's side, as AsyncAPI has it: it receives commands and sends
frames.
"""

import inspect
from collections.abc import Sequence
from types import UnionType
from typing import Any, Final, get_args

import msgspec

from jobcast.wire.close import CloseCode
from jobcast.wire.commands import Command
from jobcast.wire.limits import SessionLimits
from jobcast.wire.messages import Frame

VERSION: Final = "3.0.0"
SCHEMAS: Final = "#/components/schemas/{name}"

ANSWERS: Final[dict[str, tuple[str, ...]]] = {
    "Auth": ("Authenticated",),
    "Ping": ("Pong",),
    "SubscribeJob": ("SubscribedJob",),
    "SubscribeTenant": ("SubscribedTenant",),
    "UnsubscribeJob": ("Unsubscribed",),
    "UnsubscribeTenant": ("Unsubscribed",),
    "Submit": ("Accepted",),
    "Cancel": ("Cancelling",),
    "Join": ("Joined",),
    "Leave": ("Left",),
    "Publish": ("Published",),
}
"""What answers which command; any of them may be answered by `Error` instead."""


def commands() -> list[type[msgspec.Struct]]:
    """What a client may send."""
    return _members(Command)


def frames() -> list[type[msgspec.Struct]]:
    """What the server sends."""
    return _members(Frame)


def tag_of(kind: type[msgspec.Struct]) -> str:
    """The `type` by which a message is known; two forms of one command share it."""
    tag = kind.__struct_config__.tag
    assert isinstance(tag, str)
    return tag


def document(*, title: str, version: str) -> dict[str, Any]:
    """The document."""
    sent, received = frames(), commands()
    _, schemas = msgspec.json.schema_components([*sent, *received], ref_template=SCHEMAS)
    names = [kind.__name__ for kind in (*received, *sent)]
    operations = {kind.__name__: _receives(kind) for kind in received}
    operations["frames"] = {
        "action": "send",
        "title": "What the server sends by itself, and its answers",
        "channel": {"$ref": "#/channels/socket"},
        "messages": [_of_channel(kind.__name__) for kind in sent],
    }
    return {
        "asyncapi": VERSION,
        "info": {"title": title, "version": version, "description": _description()},
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/ws",
                "title": "The socket",
                "description": "The same at `/`, where credentials have to come with the request.",
                "messages": {n: {"$ref": f"#/components/messages/{n}"} for n in names},
                "bindings": {"ws": {"method": "GET", "query": _query()}},
            }
        },
        "operations": operations,
        "components": {
            "schemas": schemas,
            "messages": {kind.__name__: _message(kind) for kind in (*received, *sent)},
        },
    }


def _members(union: UnionType) -> list[type[msgspec.Struct]]:
    return list(get_args(union))


def _message(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        "name": tag_of(kind),
        "title": kind.__name__,
        "summary": inspect.getdoc(kind),
        "payload": {"$ref": SCHEMAS.format(name=kind.__name__)},
    }


def _receives(kind: type[msgspec.Struct]) -> dict[str, Any]:
    answers: Sequence[str] = (*ANSWERS[kind.__name__], "Error")
    return {
        "action": "receive",
        "title": tag_of(kind),
        "summary": inspect.getdoc(kind),
        "channel": {"$ref": "#/channels/socket"},
        "messages": [_of_channel(kind.__name__)],
        "reply": {
            "channel": {"$ref": "#/channels/socket"},
            "messages": [_of_channel(name) for name in answers],
        },
    }


def _of_channel(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/socket/messages/{name}"}


def _query() -> dict[str, Any]:
    texts = {
        "ticket": "A ticket of POST /api/ws-tickets: good once, for 30 seconds.",
        "token": "An access token or a watch token.",
        "guest": "The name of a guest, where guests are allowed.",
    }
    properties = {name: {"type": "string", "description": text} for name, text in texts.items()}
    return {"type": "object", "properties": properties}


def _description() -> str:
    limits = SessionLimits()
    codes = "\n".join(
        f"- {code.value}: {code.text}; {'reconnect' if code.reconnect else 'do not reconnect'}"
        for code in CloseCode
    )
    return (
        "JSON text frames. Credentials come with the request (the headers of the API, or the "
        "query), or on `/ws` in a first `auth` command within "
        f"{limits.auth_timeout:g} s. `connected` comes when they are good. A command may carry an "
        "`id`, which its answer carries too. Changes are additive: ignore types and fields that "
        f"you do not know. At most {limits.max_message_bytes} bytes a message and "
        f"{limits.max_subscriptions} live subscriptions, unless set otherwise.\n\n"
        f"Close codes:\n{codes}"
    )
