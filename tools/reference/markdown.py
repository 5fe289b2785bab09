"""The few pieces of Markdown that the pages are made of."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

NOTE: Final = "<!-- Made by `make reference` from {source}. Change that, not this. -->"


def page(title: str, *, source: str, intro: str, parts: Iterable[str]) -> str:
    """A page: its title, where it comes from, what it is about, and its parts."""
    head = f"{NOTE.format(source=source)}\n\n# {title}\n\n{intro.strip()}"
    return "\n\n".join([head, *(part.strip() for part in parts if part.strip())]) + "\n"


def section(title: str, *parts: str, level: int = 2) -> str:
    """A heading and what stands under it."""
    return "\n\n".join([f"{'#' * level} {title}", *(part for part in parts if part)])


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty where there are no rows."""
    lines = [_row(row) for row in rows]
    if not lines:
        return ""
    return "\n".join([_row(heads), _row(["---"] * len(heads)), *lines])


def code(text: object) -> str:
    """Text as code; empty for none."""
    shown = str(text)
    return f"`{shown}`" if shown else ""


def prose(text: str | None) -> str:
    """A docstring as a paragraph in one line: its first paragraph alone."""
    first = (text or "").strip().split("\n\n")[0]
    return " ".join(first.split())


def shape_of(schema: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words: `string`, `integer or null`, `array of string`."""
    return " or ".join(dict.fromkeys(_shapes(schema, known)))


def fields_of(schema: Mapping[str, Any], known: Mapping[str, Any]) -> list[list[str]]:
    """The rows (name, form, whether it has to be there, bounds) of an object's schema."""
    schema = _resolved(schema, known)
    required = schema.get("required", ())
    return [
        [code(name), shape_of(field, known), "yes" if name in required else "", bounds(field)]
        for name, field in schema.get("properties", {}).items()
        if "const" not in field and field.get("enum", ()) != [schema.get("title")]
    ]


def bounds(schema: Mapping[str, Any]) -> str:
    """What a value may be, in words."""
    said = [*_limits(schema)]
    for part in schema.get("anyOf", ()):
        said += _limits(part)
    if "description" in schema:
        said.append(" ".join(str(schema["description"]).split()))
    default = schema.get("default")
    if default is not None:
        said.append(f"default {code(json.dumps(default))}")
    return "; ".join(dict.fromkeys(said))


def _limits(schema: Mapping[str, Any]) -> list[str]:
    said = []
    if "enum" in schema:
        said.append(", ".join(code(value) for value in schema["enum"]))
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None or high is not None:
        said.append(" ".join(_between(low, high, "")))
    low, high = schema.get("minLength"), schema.get("maxLength")
    if low is not None or high is not None:
        said.append(" ".join(_between(low, high, "characters")))
    low, high = schema.get("minItems"), schema.get("maxItems")
    if low or high is not None:
        said.append(" ".join(_between(low, high, "items")))
    if "pattern" in schema:
        said.append(code(str(schema["pattern"]).removesuffix("(?!\\n)")))
    return said


def _between(low: object, high: object, what: str) -> list[str]:
    words = []
    if low is not None:
        words.append(f"from {low}" if high is None else f"{low}")
    if high is not None:
        words.append(f"up to {high}" if low is None else f"to {high}")
    return [*words, what] if what else words


def _shapes(schema: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    if "anyOf" in schema:
        return [shape for part in schema["anyOf"] for shape in _shapes(part, known)]
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        found = known.get(name, {})
        return [name] if found.get("type") == "object" else _shapes(found, known)
    kind = schema.get("type")
    if kind is None and schema.get("enum"):
        return sorted({"string" if isinstance(v, str) else "number" for v in schema["enum"]})
    if kind == "array":
        items = schema.get("items")
        return [f"array of {shape_of(items, known)}" if items else "array"]
    if isinstance(kind, list):
        return [str(part) for part in kind]
    return [str(kind) if kind else "any JSON"]


def _resolved(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        found: Mapping[str, Any] = known[str(schema["$ref"]).rpartition("/")[2]]
        return found
    return schema


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in cells) + " |"
