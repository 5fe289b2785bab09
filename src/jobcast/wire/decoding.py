"""From bytes to checked structs: one place that turns faults into sentences that name the field."""

import re
from typing import TypeVar

import msgspec

from jobcast.domain.errors import InvalidJson, InvalidRequest

T = TypeVar("T")
Shape = TypeVar("Shape", bound=msgspec.Struct)

_AT = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
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
        raise _fault(str(problem)) from None
    except (msgspec.DecodeError, UnicodeError) as problem:
        raise InvalidJson(f"Invalid JSON: {problem}") from None
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


def _fault(text: str) -> InvalidRequest:
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
    return InvalidRequest("Validation error", fields={path or "body": [sentence]})
