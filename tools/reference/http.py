"""The HTTP API, from the OpenAPI document."""

from collections.abc import Mapping
from typing import Any, Final

from tools.reference.markdown import bounds, code, fields_of, page, section, shape_of, table
from tools.reference.world import World

INTRO: Final = """
A running server shows the same at `/docs`, and for programs at `/openapi.json`. Start with
[API testing](../guides/api-testing.md) for calls to copy.

- Every answer of `/api` is an envelope: `{"success": true, "message": …, "data": …}`, lists with a
  `meta` beside it; an error is `{"success": false, "message": …, "code": …}`, with `errors` by
  field and `retryAfter` in seconds where they help. All codes stand in [Errors](errors.md).
- Credentials are `Authorization: Bearer <accessToken>` or `X-API-Key: <key>`. Routes marked
  *watch token* also take a token for one job, in the header or as `?token=`.
- Keys are camelCase, times are ISO 8601 in UTC with milliseconds, ids are UUIDv7 text.
- What belongs to someone else answers 404, as if it were not there.
- Changes are additive: ignore fields that you don't know.
"""

_CREDENTIALS: Final = {
    "": "none",
    "accessToken apiKey": "access token or API key",
    "accessToken apiKey watchToken": "access token, API key or watch token",
}


def render(world: World) -> str:
    """The page."""
    document = world.openapi
    known = document["components"]["schemas"]
    parts: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            text = _operation(method.upper(), path, operation, known)
            parts.setdefault(operation["tags"][0], []).append(text)
    return page(
        "HTTP API",
        source="the routes",
        intro=INTRO,
        parts=[
            *(section(tag.capitalize(), *routes) for tag, routes in parts.items()),
            section("Shapes", *_shapes(parts, known)),
        ],
    )


def _operation(
    method: str, path: str, operation: Mapping[str, Any], known: Mapping[str, Any]
) -> str:
    said = f"{operation['summary']}. {operation.get('description', '')}".strip()
    schemes = " ".join(sorted(name for need in operation["security"] for name in need))
    refused = [code(status) for status in operation["responses"] if int(status) >= 400]
    facts = f"Credentials: {_CREDENTIALS[schemes]}. {_answer(operation, known)}"
    if refused:
        facts += f" Refusals: {', '.join(refused)}."
    return section(
        f"{method} {path}",
        said,
        table(("Parameter", "In", "Form", "What it is"), _parameters(operation, known)),
        _body(operation, known),
        facts,
        level=3,
    )


def _parameters(operation: Mapping[str, Any], known: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            code(parameter["name"]),
            parameter["in"],
            shape_of(parameter["schema"], known),
            _sentences(parameter.get("description", ""), bounds(parameter["schema"])),
        ]
        for parameter in operation.get("parameters", ())
        if parameter["in"] != "path"
    ]


def _sentences(*parts: str) -> str:
    said = (f"{part[0].upper()}{part[1:]}".rstrip(".") for part in parts if part)
    return "".join(f"{part}. " for part in said).strip()


def _body(operation: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    rows = fields_of(schema, known)
    return table(("Body", "Form", "Required", "Bounds"), rows)


def _answer(operation: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    status = next(status for status in operation["responses"] if int(status) < 400)
    content = operation["responses"][status]["content"]
    [(kind, body)] = content.items()
    schema = body["schema"]
    data = schema.get("properties", {}).get("data")
    if kind != "application/json":
        return f"Answer: {code(status)}, {code(kind)}."
    if data is None:
        return f"Answer: {code(status)}, {_linked(schema, known)}, without an envelope."
    return f"Answer: {code(status)}, `data`: {_linked(data, known)}."


def _linked(schema: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if schema.get("type") == "array" and "$ref" in schema.get("items", {}):
        return f"array of {_linked(schema['items'], known)}"
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if schema.get("type") == "object" and schema.get("properties"):
        return ", ".join(code(name) for name in schema["properties"])
    return shape_of(schema, known)


def _shapes(parts: Mapping[str, list[str]], known: Mapping[str, Any]) -> list[str]:
    written = "\n".join(text for routes in parts.values() for text in routes)
    wanted = [name for name in known if f"](#{name.lower()})" in written]
    for name in wanted:  # and those that they name themselves
        for field in known[name].get("properties", {}).values():
            for other in (
                shape_of(field, known).replace(" or ", " ").replace("array of ", "").split()
            ):
                if other in known and other not in wanted:
                    wanted.append(other)
    return [
        section(
            name,
            " ".join(str(known[name].get("description", "")).split()),
            table(("Field", "Form", "Always there", "Bounds"), fields_of(known[name], known)),
            level=3,
        )
        for name in wanted
    ]
