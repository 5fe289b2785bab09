"""The OpenAPI document: what the routes say of themselves."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from starlette.routing import BaseRoute

from jobcast.gateway.http.operation import DocumentedRoute, Operation, Parameter, Shape
from jobcast.wire.api import PageMeta

_REFS: Final = "#/components/schemas/{name}"
_CONVERTER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_SENTENCES: Final = {
    400: "The request is not valid; `errors` names the fields at fault.",
    401: "Credentials are missing, forged, expired or of the wrong kind.",
    403: "The credentials do not reach this far.",
    404: "There is no such thing, or it is someone else's.",
    409: "It is there already, in another shape.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests; `retryAfter` says in how many seconds to come back.",
    503: "Starting, draining, or overloaded.",
}
_ERROR: Final = {
    "type": "object",
    "required": ["success", "message", "code"],
    "properties": {
        "success": {"const": False},
        "message": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "retryAfter": {"type": "integer", "description": "Seconds."},
    },
}
_SECURITY: Final[Mapping[str, list[dict[str, list[str]]]]] = {
    "none": [],
    "any": [{"accessToken": []}, {"apiKey": []}],
    "watch": [{"accessToken": []}, {"apiKey": []}, {"watchToken": []}],
}
_SCHEMES: Final = {
    "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "watchToken": {"type": "apiKey", "in": "query", "name": "token"},
}


def describe(routes: Iterable[BaseRoute], *, title: str, version: str) -> dict[str, Any]:
    """The document of all documented routes."""
    documented = [route for route in routes if isinstance(route, DocumentedRoute)]
    shapes = _Shapes(documented)
    paths: dict[str, dict[str, Any]] = {}
    for route in documented:
        described = _describe(route, shapes)
        paths.setdefault(_CONVERTER.sub(r"{\1}", route.path), {})[route.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": shapes.components | {"Error": _ERROR},
            "securitySchemes": _SCHEMES,
        },
    }


class _Shapes:
    """The JSON Schemas of all types that the operations name."""

    def __init__(self, routes: Iterable[DocumentedRoute]) -> None:
        named = [shape for r in routes for shape in (r.operation.data, r.operation.body)]
        types = [shape for shape in named if shape is not None and not isinstance(shape, Mapping)]
        types = list(dict.fromkeys(types))
        schemas, self.components = msgspec.json.schema_components(
            [PageMeta, *types], ref_template=_REFS
        )
        self._schemas = dict(zip([PageMeta, *types], schemas, strict=True))

    def of(self, shape: Shape | None) -> Mapping[str, Any]:
        """The schema of a shape."""
        if shape is None:
            return {"type": "null"}
        return shape if isinstance(shape, Mapping) else self._schemas[shape]


def _describe(route: DocumentedRoute, shapes: _Shapes) -> dict[str, Any]:
    operation = route.operation
    names = _CONVERTER.findall(route.path)
    described: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": operation.summary,
        "tags": [operation.tag],
        "security": _SECURITY[operation.credentials],
        "responses": _responses(operation, names, shapes),
    }
    if operation.text:
        described["description"] = operation.text
    parameters = [_path_parameter(name) for name in names]
    parameters += [_parameter(parameter) for parameter in operation.parameters]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": shapes.of(operation.body)}}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    return {**described, **operation.extra}


def _operation_id(route: DocumentedRoute) -> str:
    """What generated clients call it: `postJobsByIdCancel`; the path makes it the only one."""
    words = [route.method.lower()]
    for segment in route.path.removeprefix("/api").split("/"):
        named = _CONVERTER.fullmatch(segment)
        words += ["by", *_words(named[1])] if named else _words(segment)
    return words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:])


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^A-Za-z0-9]", text) if word]


def _responses(operation: Operation, names: list[str], shapes: _Shapes) -> dict[str, Any]:
    success = _success(operation, shapes)
    responses = {str(operation.status): success}
    for status, text in operation.others.items():
        # What is neither created nor there anew has no body.
        body = success if status == 200 else {}
        responses[str(status)] = {**body, "description": text}
    return responses | {str(status): _refusal(status) for status in _errors(operation, names)}


def _success(operation: Operation, shapes: _Shapes) -> dict[str, Any]:
    schema = shapes.of(operation.data)
    if not operation.bare:
        data = {"type": "array", "items": schema} if operation.listed else schema
        properties: dict[str, Any] = {
            "success": {"const": True},
            "message": {"type": "string"},
            "data": data,
        }
        required = ["success", "message", "data"]
        if operation.listed:
            properties["meta"] = shapes.of(PageMeta)
            required.append("meta")
        schema = {"type": "object", "required": required, "properties": properties}
    return {
        "description": operation.summary,
        "content": {operation.media_type: {"schema": schema}},
    }


def _refusal(status: int) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _REFS.format(name="Error")}}}
    return {"description": _SENTENCES[status], "content": content}


def _errors(operation: Operation, names: list[str]) -> list[int]:
    errors = set(operation.errors)
    if operation.body is not None:
        errors |= {400, 413, 415}
    if operation.parameters:
        errors.add(400)
    if operation.credentials != "none":
        errors |= {401, 403, 429}
    if names:
        errors.add(404)
    return sorted(errors)


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.text,
        "schema": parameter.schema,
    }
