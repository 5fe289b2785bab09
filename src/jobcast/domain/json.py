"""JSON text: what is stored and sent is text, so it is checked and written in one place."""

import json
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


def quote(text: str) -> str:
    """`text` as a JSON string; lone surrogates, which UTF-8 cannot carry, are escaped."""
    try:
        return _encoder.encode(text).decode()
    except UnicodeEncodeError:
        return json.dumps(text)


def dumps(value: Any) -> str:
    """`value` as compact JSON text.

    Raises ValueError with a sentence for what JSON cannot hold: NaN, infinities, cycles and
    objects that are neither JSON's own, dataclasses, models, dates, UUIDs nor enums.
    """
    quick = _quick(value)
    if quick is not None:
        return quick
    try:
        text = json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
        )
    except RecursionError:
        raise ValueError("The value is nested too deeply for JSON.") from None
    except (TypeError, ValueError) as problem:
        raise ValueError(f"The value cannot be written as JSON: {problem}.") from None
    if text.isascii() or _encodable(text):
        return text
    return json.dumps(value, separators=(",", ":"), default=_plain)


def storable(text: str) -> str:
    """`text` with its lone surrogates, which no database takes, as escapes; JSON stays the same."""
    return text.encode("utf-8", "backslashreplace").decode()


def _quick(value: Any) -> str | None:
    """The same by msgspec, twenty times as fast; None where that is not sure to be right.

    It writes NaN and infinities as null, so a text with a null in it is made the other way.
    """
    try:
        data = _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    return None if b"null" in data else data.decode()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    try:
        return msgspec.to_builtins(value)
    except (TypeError, msgspec.ValidationError):
        raise TypeError(f"an object of type {type(value).__name__} has no JSON form") from None
