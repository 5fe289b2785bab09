"""`/asyncapi.json` and `/asyncapi`: the socket's messages, for programs and for people."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from jobcast.gateway.http import docs, envelope
from jobcast.gateway.http.operation import PlainRoute
from jobcast.gateway.state import Gateway
from jobcast.wire import asyncapi

SOCKET_PROTOCOL: Final = "1.0.0"
"""Version of the protocol; `connected` names its first number."""


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    document = asyncapi.document(
        title=f"{gateway.settings.app_name} socket", version=SOCKET_PROTOCOL
    )
    made = envelope.encode(document)
    shown = render(document)
    page_headers = {
        "Content-Security-Policy": docs.CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-cache",
    }

    async def machine(request: Request) -> Response:
        return Response(made, media_type="application/json", headers={"Cache-Control": "no-cache"})

    async def page(request: Request) -> Response:
        return HTMLResponse(shown, headers=page_headers)

    return [
        PlainRoute("/asyncapi.json", machine, methods=["GET"], include_in_schema=False),
        PlainRoute("/asyncapi", page, methods=["GET"], include_in_schema=False),
    ]


def render(document: Mapping[str, Any]) -> str:
    """The page of the document: commands with their answers, then all that the server sends."""
    info = document["info"]
    title = f"{escape(info['title'])} {escape(info['version'])}"
    parts = "".join(f"<p>{_lines(part)}</p>" for part in info["description"].split("\n\n"))
    operations = document["operations"]
    commands = "".join(
        _command(name, operation, document)
        for name, operation in operations.items()
        if operation["action"] == "receive"
    )
    frames = "".join(_details(name, document) for name in _names(operations["frames"]["messages"]))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{docs.STYLE}</style></head><body><h1>{title}</h1>{parts}"
        '<p>The same for programs: <a href="asyncapi.json">asyncapi.json</a>. '
        'Over HTTP: <a href="docs">docs</a>.</p>'
        f"<h2>What a client sends</h2>{commands}<h2>What the server sends</h2>{frames}"
        "</body></html>"
    )


def _command(name: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    answers = " or ".join(
        f"<code>{escape(document['components']['messages'][answer]['name'])}</code>"
        for answer in _names(operation["reply"]["messages"])
    )
    return _details(name, document, more=f"<p>Answer: {answers}</p>")


def _details(name: str, document: Mapping[str, Any], *, more: str = "") -> str:
    message = document["components"]["messages"][name]
    schema = document["components"]["schemas"][name]
    required = schema.get("required", ())
    fields = "".join(
        f"<li><code>{escape(field)}</code>{'' if field in required else ' (optional)'} "
        f"<code>{escape(_said(shape))}</code></li>"
        for field, shape in schema["properties"].items()
        if field != "type"
    )
    return (
        f"<details><summary><b>{escape(message['name'])}</b> {escape(message['title'])}</summary>"
        f"<p>{_lines(message['summary'])}</p>{more}<ul>{fields}</ul></details>"
    )


def _said(shape: Mapping[str, Any]) -> str:
    if "anyOf" in shape:
        return " | ".join(_said(part) for part in shape["anyOf"])
    if "$ref" in shape:
        return str(shape["$ref"]).rpartition("/")[2]
    if "enum" in shape:
        return " | ".join(json.dumps(value) for value in shape["enum"])
    return str(shape.get("type", "any JSON"))


def _names(references: Sequence[Mapping[str, str]]) -> Iterator[str]:
    for reference in references:
        yield reference["$ref"].rpartition("/")[2]


def _lines(text: str) -> str:
    return "<br>".join(map(escape, text.splitlines()))
