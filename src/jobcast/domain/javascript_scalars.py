"""Strings and numbers of JSON as JavaScript writes them."""

import json
import re
from decimal import Decimal
from math import isinf
from typing import Final

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def string(token: str) -> str:
    """A JSON string with no escapes but those it needs; lone surrogates are escaped, lower-case."""
    if "\\" in token:
        token = json.dumps(json.loads(token), ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", token)


def number(token: str) -> str:
    """A JSON number as JavaScript writes it; as it was where JavaScript could not hold it."""
    if token.lstrip("-").isdecimal():
        return "0" if token == "-0" else token
    value = float(token)
    if isinf(value):
        return token
    if value == 0:
        mantissa = re.split("[eE]", token)[0]
        return token if mantissa.strip("-0.") else "0"
    shortest = repr(value)
    if "e" not in shortest:
        return shortest.removesuffix(".0")
    sign, digits, exponent = Decimal(shortest).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = _decimal("".join(map(str, digits)), point=len(digits) + exponent)
    return f"-{text}" if sign else text


def _decimal(digits: str, *, point: int) -> str:
    """`0.digits` times 10 to the `point`, by the rules of ECMAScript's Number::toString."""
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
