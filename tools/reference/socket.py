"""The WebSocket, from the types of its messages."""

import inspect
from collections.abc import Collection
from typing import Any, Final

import msgspec
from tools.reference.markdown import bounds, code, page, section, shape_of, table

from jobcast.wire import asyncapi
from jobcast.wire.close import CloseCode
from jobcast.wire.job_events import JobEventBase
from jobcast.wire.limits import SessionLimits

HEADS: Final = ("Field", "Form", "Always there", "Bounds")

_COMMON: Final = frozenset(field.encode_name for field in msgspec.structs.fields(JobEventBase))
_FORMS: Final = {
    f"{verb}{subject}": f" (a {subject})"
    for verb in ("subscribe", "unsubscribe")
    for subject in ("job", "tenant")
}

INTRO: Final = """
A running server shows the same at `/asyncapi`, and for programs at `/asyncapi.json`; TypeScript
types stand in `clients/js/types.d.ts`. [WebSocket](../guides/websocket.md) says how to use it.

Messages are JSON text frames with a `type`. The socket is at `/ws`, where credentials come with the
request or in a first `auth` message, and at `/`, where they come with the request. A command may
carry an `id` (text or a whole number), which its answer carries too. Unknown fields of a command
are refused; ignore fields and types of frames that you don't know.
"""


def render() -> str:
    """The page."""
    _, known = msgspec.json.schema_components(
        [*asyncapi.frames(), *asyncapi.commands()], ref_template=asyncapi.SCHEMAS
    )
    events = [kind for kind in asyncapi.frames() if issubclass(kind, JobEventBase)]
    others = [kind for kind in asyncapi.frames() if kind not in events]
    return page(
        "WebSocket messages",
        source="the types of the messages",
        intro=INTRO,
        parts=[
            section(
                "What a client sends", *(_command(kind, known) for kind in asyncapi.commands())
            ),
            section(
                "Events of a job",
                "Each has these fields, and those that stand below it. `seq` rises by one with"
                " each event of a job; `cursor` is there on a tenant's stream.",
                table(HEADS, _rows(known["JobCancelled"], without=())),
                *(_message(kind, known, without=_COMMON) for kind in events),
            ),
            section("What else the server sends", *(_message(kind, known) for kind in others)),
            _closes(),
            _limits(),
        ],
    )


def _command(kind: type[msgspec.Struct], known: dict[str, Any]) -> str:
    tags = {found.__name__: asyncapi.tag_of(found) for found in asyncapi.frames()}
    answers = " or ".join(code(tags[name]) for name in asyncapi.ANSWERS[kind.__name__])
    return _message(kind, known, f"Answer: {answers}, or `error`.")


def _message(
    kind: type[msgspec.Struct],
    known: dict[str, Any],
    more: str = "",
    *,
    without: Collection[str] = (),
) -> str:
    title = asyncapi.tag_of(kind) + _FORMS.get(kind.__name__.lower().replace("bed", "be"), "")
    text = " ".join((inspect.getdoc(kind) or "").split())
    rows = _rows(known[kind.__name__], known=known, without=without)
    return section(title, f"{text} {more}".strip(), table(HEADS, rows), level=3)


def _rows(
    schema: dict[str, Any], *, without: Collection[str], known: dict[str, Any] | None = None
) -> list[list[str]]:
    required = schema.get("required", ())
    return [
        [code(name), shape_of(field, known or {}), "yes" if name in required else "", bounds(field)]
        for name, field in schema["properties"].items()
        if name != "type" and name not in without
    ]


def _closes() -> str:
    rows = [
        [code(found.value), found.text, "yes" if found.reconnect else "no"] for found in CloseCode
    ]
    return section(
        "Close codes",
        "3000 to 3499 mean: reconnect; 3500 to 3999: don't. A connection that broke without a close"
        " frame is worth a reconnect.",
        table(("Code", "Reason", "Reconnect"), rows),
    )


def _limits() -> str:
    limits = SessionLimits()
    rows = [
        ["Bytes of a message", str(limits.max_message_bytes), code("JOBCAST_MAX_MESSAGE_BYTES")],
        ["Live subscriptions", str(limits.max_subscriptions), code("JOBCAST_MAX_SUBSCRIPTIONS")],
        ["Commands that wait for their answers", str(limits.max_pending), ""],
        ["Messages in any ten seconds", str(limits.max_messages), ""],
        ["Bad messages in any ten seconds", str(limits.max_bad_messages), ""],
        ["Seconds to authenticate", f"{limits.auth_timeout:g}", code("JOBCAST_WS_AUTH_TIMEOUT")],
        ["Seconds between pings", f"{limits.heartbeat:g}", code("JOBCAST_WS_HEARTBEAT")],
        [
            "Seconds to answer one",
            f"{limits.heartbeat_timeout:g}",
            code("JOBCAST_WS_HEARTBEAT_TIMEOUT"),
        ],
    ]
    return section("Limits of a connection", table(("What", "Limit", "Setting"), rows))
