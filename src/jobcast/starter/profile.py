"""What there is to say of one column of a table. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

_NULLS = frozenset({"", "null", "none", "na", "n/a", "nan"})
_LONGEST_NULL_OR_BOOLEAN = 5
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")  # not 00123, which is a code
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9]"
    r"([T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_SHOWN = 200  # characters of a text that is the least or the greatest

Cell = tuple[str, str | bool | int | float]


def profile(values: Sequence[object]) -> dict[str, Any]:
    """Return {"type", "nulls", "distinct", "min", "max"}, with "mean" for numbers.

    `values` are cells of CSV (text) or of JSON. The type is integer, number, boolean, date (ISO
    8601), string, mixed or empty. Texts compare by code point and are cut to 200 characters.
    """
    cells = [cell for cell in map(_cell, values) if cell is not None]
    kind = _common({kind for kind, _ in cells})
    found: dict[str, Any] = {"type": kind, "nulls": len(values) - len(cells)}
    if kind in ("integer", "number"):
        numbers = [value for _, value in cells if isinstance(value, int | float)]
        found["distinct"] = len(set(numbers))
        found |= {"min": min(numbers), "max": max(numbers), "mean": _mean(numbers)}
    else:
        texts = [json.dumps(value) if isinstance(value, bool) else str(value) for _, value in cells]
        found["distinct"] = len(set(cells))
        found["min"] = min(texts)[:_SHOWN] if texts else None
        found["max"] = max(texts)[:_SHOWN] if texts else None
    return found


def _mean(numbers: Sequence[float]) -> float:
    try:
        return math.fsum(numbers) / len(numbers)
    except OverflowError:  # the sum is beyond a float, the mean never is
        return math.fsum(number / len(numbers) for number in numbers)


def _common(kinds: set[str]) -> str:
    if not kinds:
        return "empty"
    if len(kinds) == 1:
        return next(iter(kinds))
    return "number" if kinds == {"integer", "number"} else "mixed"


def _cell(raw: object) -> Cell | None:
    """The type and the value of one cell; None for a null."""
    match raw:
        case None:
            return None
        case bool():
            return "boolean", raw
        case int() if abs(raw) < 10**18:
            return "integer", raw
        case float() if math.isfinite(raw):
            return "number", raw
        case str():
            return _parsed(raw.strip())
        case _:
            return "string", json.dumps(raw, default=str)


def _parsed(text: str) -> Cell | None:
    folded = text.lower() if len(text) <= _LONGEST_NULL_OR_BOOLEAN else text
    if folded in _NULLS:
        return None
    if folded in ("true", "false"):
        return "boolean", folded == "true"
    if _INTEGER.fullmatch(text):
        return "integer", int(text)
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return "number", number
    return ("date" if _DATE.fullmatch(text) else "string"), text
