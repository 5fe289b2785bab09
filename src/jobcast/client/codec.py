"""JSON between the client and the server, exact for every document that JSON itself can hold.

Numbers that a float cannot hold (1e200000) are read as Decimal and written back as numbers. NaN and
infinities are refused rather than sent as null.
"""

import json
import math
import secrets
from decimal import Decimal
from typing import Any


def loads(text: bytes | str) -> Any:
    """The value of a JSON document. Raises ValueError with a sentence when it is not JSON."""
    try:
        return json.loads(
            text, parse_float=_real, parse_int=_integer, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def dumps(value: Any, *, indent: int | None = None) -> str:
    """`value` as JSON text: compact, or over several lines when `indent` is given.

    Takes JSON's own types, Decimal, dataclasses, msgspec structs, pydantic models, dates, UUIDs and
    enums. Raises ValueError for anything else and for NaN, infinities and cycles.
    """
    mark = secrets.token_hex(16)
    decimals: list[Decimal] = []

    def plain(item: Any) -> Any:
        if isinstance(item, Decimal) and item.is_finite():
            decimals.append(item)
            return f"{mark}{len(decimals) - 1}."
        return _builtin(item)

    def write(*, ascii_only: bool) -> str:
        return json.dumps(
            value,
            ensure_ascii=ascii_only,
            allow_nan=False,
            indent=indent,
            separators=None if indent else (",", ":"),
            default=plain,
        )

    try:
        text = write(ascii_only=False)
        if not _is_utf8(text):
            decimals.clear()
            text = write(ascii_only=True)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except TypeError as problem:
        raise ValueError(str(problem)) from None
    for number, decimal in enumerate(decimals):
        text = text.replace(f'"{mark}{number}."', str(decimal))
    return text


def _real(text: str) -> float | Decimal:
    number = float(text)
    return number if math.isfinite(number) else Decimal(text)


def _integer(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:  # longer than sys.get_int_max_str_digits()
        return Decimal(text)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        return False
    return True


def _builtin(item: Any) -> Any:
    dump = getattr(item, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    import msgspec  # rarely needed, and slow to load

    try:
        return msgspec.to_builtins(item)
    except (TypeError, msgspec.ValidationError):
        raise TypeError(f"an object of type {type(item).__name__} has no JSON form") from None
