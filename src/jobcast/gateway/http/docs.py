"""`/docs`: the OpenAPI document as a page, made here: no script, and nothing from elsewhere."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
details { border: 1px solid #8886; border-radius: .4rem; margin: .4rem 0; padding: .3rem .8rem; }
summary { cursor: pointer; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { overflow-x: auto; }
b { display: inline-block; min-width: 4.5rem; }
"""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)


def render(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document: every operation with its parameters, body and answers."""
    info = document["info"]
    title = f"{escape(info['title'])} {escape(info['version'])}"
    groups: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(method, path, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in groups.items())
    shapes = "".join(_shapes(document))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1>"
        '<p>The same for programs: <a href="openapi.json">openapi.json</a>. '
        'The socket: <a href="asyncapi">asyncapi</a>.</p>'
        f"{body}<h2>Shapes</h2>{shapes}</body></html>"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<p>{escape(operation['description'])}</p>"] if "description" in operation else []
    if "parameters" in operation:
        items = "".join(
            f"<li><code>{escape(p['name'])}</code> ({escape(p['in'])}) "
            f"{escape(p.get('description', ''))}</li>"
            for p in operation["parameters"]
        )
        parts.append(f"<h4>Parameters</h4><ul>{items}</ul>")
    if "requestBody" in operation:
        parts.append(f"<h4>Body</h4>{_content(operation['requestBody'])}")
    for status, answer in operation.get("responses", {}).items():
        parts.append(f"<h4>{escape(status)}: {escape(answer['description'])}</h4>")
        if status < "400":
            parts.append(_content(answer))
    head = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation['summary'])}"
    return f"<details><summary>{head}</summary>{''.join(parts)}</details>"


def _content(holder: Mapping[str, Any]) -> str:
    return "".join(_schema(media.get("schema", {})) for media in holder.get("content", {}).values())


def _shapes(document: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"<details><summary><code>{escape(name)}</code></summary>{_schema(schema)}</details>"


def _schema(schema: Mapping[str, Any]) -> str:
    return f"<pre>{escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre>"
