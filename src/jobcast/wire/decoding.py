"""From bytes to checked structs: one place that turns faults into sentences that name the field."""

import re
from collections.abc import Iterator
from typing import TypeVar

import msgspec
from msgspec import inspect

from jobcast.domain.errors import InvalidJson, InvalidRequest

T = TypeVar("T")
Shape = TypeVar("Shape", bound=msgspec.Struct)

_AT = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_STEP = re.compile(r"[^.\[\]]+|\[[^\]]*\]")
_HIGH = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF = re.compile(rb"(?<!\\)(?:\\\\)*(?:%b(?!%b)|(?<!%b)%b)" % (_HIGH, _LOW, _HIGH, _LOW))
_MAY_BE_HALF = ("surrogate", "hex escape", "truncated")
_decoders: dict[object, msgspec.json.Decoder[object]] = {}


def decode(data: bytes | str, kind: type[T]) -> T:
    """`data` as a `kind`; raises InvalidJson, or InvalidRequest with `fields`.

    A field's path is dotted, with indexes in brackets (`jobs[3].priority`); the whole document
    is called `body`.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    try:
        return decoder.decode(data)  # type: ignore[return-value]  # the decoder is the kind's own
    except msgspec.ValidationError as problem:
        raise _fault(str(problem), kind) from None
    except (msgspec.DecodeError, UnicodeError) as problem:
        raise InvalidJson(f"Invalid JSON: {_said_of(problem, data)}") from None
    except RecursionError:
        raise InvalidJson("Invalid JSON: it is nested too deeply") from None


def decode_naming_all(data: bytes | str, kind: type[Shape]) -> Shape:
    """As `decode`, but where fields of an object are at fault all of them are named."""
    try:
        return decode(data, kind)
    except InvalidJson:
        raise
    except InvalidRequest as first:
        found = _all_faults(data, kind)
        raise InvalidRequest(first.message, fields=found or first.fields) from None


def _all_faults(data: bytes | str, kind: type[msgspec.Struct]) -> dict[str, list[str]]:
    """The decoder stops at the first fault; people want to see every one."""
    if isinstance(data, bytes):
        try:
            data = data.decode()
        except UnicodeDecodeError as problem:
            raise InvalidJson(f"Invalid JSON: {problem}") from None
    try:
        document = decode(data, dict[str, msgspec.Raw])
    except InvalidJson:  # the first fault came before the text ceased to be JSON
        raise
    except InvalidRequest:
        return {}
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    found = {name: ["Unknown field"] for name in document if name not in fields}
    for name, field in fields.items():
        if name in document:
            found |= _faults(name, bytes(document[name]), field.type)
        elif field.required:
            found[name] = ["Required"]
    return found


def _faults(name: str, value: bytes, kind: type[object]) -> dict[str, list[str]]:
    try:
        decode(value, kind)
    except InvalidRequest as problem:
        faults = problem.fields or {"body": [problem.message]}
        return {_joined(name, path): list(sentences) for path, sentences in faults.items()}
    return {}


def _joined(name: str, path: str) -> str:
    if path == "body":
        return name
    return f"{name}{path}" if path.startswith("[") else f"{name}.{path}"


def _said_of(problem: Exception, data: bytes | str) -> str:
    """What the decoder says; half a character by its name, for which it has several."""
    said = str(problem)
    text = data if isinstance(data, bytes) else data.encode(errors="replace")
    if any(word in said for word in _MAY_BE_HALF) and _HALF.search(text):
        return (
            "half of a surrogate pair stands alone. Send the whole character, or \\ufffd in its"
            " place"
        )
    return said


def _fault(text: str, kind: object) -> InvalidRequest:
    match = _AT.search(text)
    path = match.group(1) if match else ""
    sentence = _AT.sub("", text)
    for pattern, said in ((_UNKNOWN, "Unknown field"), (_MISSING, "Required")):
        named = pattern.search(sentence)
        if named is not None:
            path = f"{path}.{named.group(1)}" if path else named.group(1)
            sentence = said
            break
    sentence = sentence.replace("`", "")
    if sentence.startswith("Invalid enum value"):
        sentence = f"{sentence}: use one of {', '.join(_choices(kind, path))}"
    return InvalidRequest("Validation error", fields={path or "body": [sentence]})


def _choices(kind: object, path: str) -> list[str]:
    """The values that the field at `path` may have, in the order of their declaration."""
    found = [inspect.type_info(kind)]
    for step in _STEP.findall(path):
        found = [below for each in found for below in _below(each, step)]
    return [str(value) for each in found for value in _values(each)]


def _below(kind: inspect.Type, step: str) -> Iterator[inspect.Type]:
    match kind:
        case inspect.UnionType():
            for one in kind.types:
                yield from _below(one, step)
        case inspect.StructType():
            yield from (field.type for field in kind.fields if field.encode_name == step)
        case inspect.ListType():
            yield kind.item_type
        case inspect.DictType():
            yield kind.value_type


def _values(kind: inspect.Type) -> Iterator[object]:
    match kind:
        case inspect.UnionType():
            for one in kind.types:
                yield from _values(one)
        case inspect.Metadata():
            yield from _values(kind.type)
        case inspect.EnumType():
            yield from (member.value for member in kind.cls)
        case inspect.LiteralType():
            yield from kind.values
